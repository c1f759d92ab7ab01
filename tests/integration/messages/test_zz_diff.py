from __future__ import annotations
import json
from mappings.messages.workspace import snapshot
from tests.integration.messages.test_corpus import readable, REFUSED
def flat(v, p=""):
    if isinstance(v, dict):
        for k,x in v.items(): yield from flat(x, p+"."+k)
    elif isinstance(v,(list,tuple)):
        for i,x in enumerate(v): yield from flat(x, f"{p}[{i}]")
    else: yield p, str(v)
def test_diff(gateway, corpus):
    for name, raw in readable(corpus):
        if name.partition("#")[0] in REFUSED: continue
        a = gateway.rehearse(raw, times=2)
        for w in a.written:
            if w.action == "updated":
                x, y = dict(flat(w.before)), dict(flat(snapshot(w.record)))
                d = {k: (x.get(k), y.get(k)) for k in {*x, *y} if x.get(k) != y.get(k) and "source" not in k}
                print(name, w.path, {k: d[k] for k in sorted(d)[:6]})
            elif w.action == "created": print(name, "CREATED", w.path, w.record.resource["resource_type"])
