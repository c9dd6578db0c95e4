# expects: scored 2/2
# why: makes denied calls by their x32 numbers, which filters that compare one number miss; all must be refused
from probing import call_refusal, right_if

X32 = 0x40000000
NUMBERS = (39, 41, 101, 165, 272, 319, 512, 521, 547)
refusals = {number: call_refusal((X32 | number,) * 2, 0x10000000, 0, 0) for number in NUMBERS}
# where there is no such numbering the kernel itself knows no such call
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
