"""Apps recorded from real code: pure functions of a package, with tests that pin what they do.

The way of a function: its text and all that it needs (modules, definitions), the verdict that it is pure (purity),
calls and what they come to, in a process of its own (inputs, branches, mutants, exploring, recording), and an app
whose tests the original passes and mutants of it fail (writing, judging). :func:`cetd.data.recorded.making.make` is all
of it. The same configuration, package and Python make the same apps. Recording runs the package's code in processes
with limits, and not isolated: make apps of packages that you would import.
"""
