# expects: scored 0/2
# why: offers data where a function is expected; calling it is the test's error
f = "b"
