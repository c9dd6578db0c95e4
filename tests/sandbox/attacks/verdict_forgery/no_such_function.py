# expects: scored 0/2
# why: has nothing of what the tests import; all tests of the file are errors, and none is missing from the count
g = 1
