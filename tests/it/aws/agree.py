"""Asks a fake AWS through boto3, Amazon's client for Python, and prints what it said as JSON: agree.py [kafka]."""

import json
import sys

import boto3
import botocore.model
import botocore.parsers
from botocore.config import Config
from botocore.exceptions import ClientError

# Left to itself it speaks JSON to CloudWatch, which knows several protocols; the fake knows the one that Rust's client speaks.
for module in (botocore.model, botocore.parsers):
    if hasattr(module, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS"):
        known = module.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS
        cbor = "smithy-rpc-v2-cbor"
        module.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS = (cbor, *(one for one in known if one != cbor))

config = Config(retries={"total_max_attempts": 1})


def client(service):
    return boto3.client(service, config=config)


def code(call, **arguments):
    try:
        call(**arguments)
        return "fine"
    except ClientError as error:
        return error.response["Error"]["Code"]


def secrets():
    one = client("secretsmanager")
    said = {}

    def ask(name, call, **arguments):
        said[name] = code(call, **arguments)

    new = {"Name": "one", "SecretString": "first"}
    ask("create", one.create_secret, **new)
    ask("create, name taken", one.create_secret, **new)
    ask("value of an unknown one", one.get_secret_value, SecretId="nobody")
    ask("put to an unknown one", one.put_secret_value, SecretId="nobody", SecretString="x")
    ask("restore an unknown one", one.restore_secret, SecretId="nobody")
    ask("put", one.put_secret_value, SecretId="one", SecretString="second")
    ask("delete, 6 days", one.delete_secret, SecretId="one", RecoveryWindowInDays=6)
    ask("delete, 7 days", one.delete_secret, SecretId="one", RecoveryWindowInDays=7)
    ask("create, scheduled for deletion", one.create_secret, **new)
    ask("value of a deleted one", one.get_secret_value, SecretId="one")
    ask("put to a deleted one", one.put_secret_value, SecretId="one", SecretString="x")
    ask("describe a deleted one", one.describe_secret, SecretId="one")
    ask("delete a deleted one", one.delete_secret, SecretId="one", RecoveryWindowInDays=7)
    ask("update a deleted one", one.update_secret, SecretId="one", SecretString="x")
    ask("tag a deleted one", one.tag_resource, SecretId="one", Tags=[{"Key": "k", "Value": "v"}])
    ask("restore", one.restore_secret, SecretId="one")
    ask("restore once more", one.restore_secret, SecretId="one")
    ask("value after restoring", one.get_secret_value, SecretId="one")
    ask("delete by force", one.delete_secret, SecretId="one", ForceDeleteWithoutRecovery=True)
    ask("value of a removed one", one.get_secret_value, SecretId="one")
    ask("delete by force what is gone", one.delete_secret, SecretId="one", ForceDeleteWithoutRecovery=True)
    ask("create where one was", one.create_secret, **new)
    return said


def kafka(request):
    """The main calls of the services that moto does not have, or not for this client."""
    one = client("kafka")
    said = {}
    made = one.create_replicator(**request)
    arn = made["ReplicatorArn"]
    said["create"] = made["ReplicatorState"]
    said["create again"] = code(one.create_replicator, **request)
    while one.describe_replicator(ReplicatorArn=arn)["ReplicatorState"] == "CREATING":
        pass
    described = one.describe_replicator(ReplicatorArn=arn)
    said["describe"] = described["ReplicatorState"]
    said["list"] = [r["ReplicatorName"] for r in one.list_replicators()["Replicators"]]
    version = described["CurrentVersion"]
    said["stale"] = code(one.delete_replicator, ReplicatorArn=arn, CurrentVersion="K0")
    said["delete"] = one.delete_replicator(ReplicatorArn=arn, CurrentVersion=version)["ReplicatorState"]
    one.describe_replicator(ReplicatorArn=arn)
    said["gone"] = code(one.describe_replicator, ReplicatorArn=arn)
    data = client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": "m0",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Kafka",
                        "MetricName": "MessageLag",
                        "Dimensions": [{"Name": "ReplicatorName", "Value": "r"}],
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
        ],
        StartTime=0,
        EndTime=32503680000,
    )["MetricDataResults"][0]
    said["metric"] = [data["StatusCode"], data["Values"], len(data["Timestamps"])]
    said["groups"] = [g["logGroupName"] for g in client("logs").describe_log_groups()["logGroups"]]
    said["caller"] = client("sts").get_caller_identity()["Account"]
    return said


def pascal(value):
    """Keys as the Python client has them."""
    if isinstance(value, dict):
        return {k[0].upper() + k[1:]: pascal(v) for k, v in value.items()}
    return [pascal(one) for one in value] if isinstance(value, list) else value


if sys.argv[1:] == ["kafka"]:
    request = json.load(sys.stdin)
    tags = request.pop("tags")
    print(json.dumps(kafka({**pascal(request), "Tags": tags})))
else:
    print(json.dumps(secrets()))
