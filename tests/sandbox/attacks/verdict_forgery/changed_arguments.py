# expects: crashed
# why: claims to have changed an argument that is no list; the judge must refuse the shape
from probing import send

def f(x):
    send(2, ("return", 41, [(0, [41])]))
