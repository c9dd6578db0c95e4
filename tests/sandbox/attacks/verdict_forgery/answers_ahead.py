# expects: scored 0/2
# why: sends answers to calls that were not made yet; each is only ever an answer, and wrong
import time

from probing import send

send(1, ("return", {"functions": ["f"], "values": {}}, [], "", ""))
send(2, ("return", 42, [], "", ""))
send(3, ("return", "a", [], "", ""))
time.sleep(1000)
