"""Cuts AWS's service models down to what the fake AWS serves: python3 cut.py WHEEL, beside the files it writes."""

import gzip
import json
import pathlib
import sys
import zipfile

WANTED = {
    "kafka/2018-11-14": (
        "CreateReplicator DescribeReplicator ListReplicators UpdateReplicationInfo DeleteReplicator TagResource "
        "UntagResource ListTagsForResource DescribeClusterV2 ListClustersV2 GetBootstrapBrokers "
        "DescribeConfiguration DescribeConfigurationRevision"
    ),
    "secretsmanager/2017-10-17": (
        "CreateSecret DescribeSecret GetSecretValue PutSecretValue UpdateSecret DeleteSecret RestoreSecret TagResource "
        "ListSecrets"
    ),
    "cloudwatch/2010-08-01": "GetMetricData ListMetrics",
    "logs/2014-03-28": "DescribeLogGroups FilterLogEvents",
    "sts/2011-06-15": "GetCallerIdentity",
}


def without_prose(value):
    """The same without documentation and examples; a shape or member of such a name stays, being no text."""
    if isinstance(value, dict):
        prose = ("documentation", "documentationUrl")
        return {k: without_prose(v) for k, v in value.items() if not (k in prose and isinstance(v, str))}
    if isinstance(value, list):
        return [without_prose(one) for one in value]
    return value


def named(shape):
    """Names of the shapes that a shape refers to."""
    if isinstance(shape, dict):
        for key, value in shape.items():
            if key == "shape" and isinstance(value, str):
                yield value
            else:
                yield from named(value)
    elif isinstance(shape, list):
        for one in shape:
            yield from named(one)


def cut(model, wanted):
    operations = {name: model["operations"][name] for name in wanted.split()}
    keep, open_ = set(), list(named(operations))
    while open_:
        name = open_.pop()
        if name not in keep:
            keep.add(name)
            open_.extend(named(model["shapes"][name]))
    shapes = {name: shape for name, shape in model["shapes"].items() if name in keep}
    return without_prose({"metadata": model["metadata"], "operations": operations, "shapes": shapes})


wheel = zipfile.ZipFile(sys.argv[1])
here = pathlib.Path(__file__).parent
for path, wanted in WANTED.items():
    model = json.loads(gzip.decompress(wheel.read(f"botocore/data/{path}/service-2.json.gz")))
    text = json.dumps(cut(model, wanted), indent=1, sort_keys=True)
    (here / f"{path.split('/')[0]}.json").write_text(text + "\n")
