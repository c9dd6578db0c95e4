"""From code to training data, in steps that each leave files and a report for every shard.

    cleaning    sources          → documents and fingerprints of each shard
    selection   all fingerprints → which documents stay, and for what: documents/train, documents/validation
    tokens      documents        → tokenizer/, packed/
    examples    documents of whole repositories → phase1/, phase2/

A step that finds its report does nothing, so a job that was killed goes on where it was. The other modules are what
steps are made of: pure functions over Arrow tables, each with the counts of what it kept and dropped. Knows no Ray.
"""
