"""The roles of `deploy/users.acl`: what each does, and the scripts that it runs."""

from tests.support.cache_roles import CACHE
from tests.support.operator_role import OPERATOR
from tests.support.roles import PRODUCER, PUBSUB, READER, WORKER, Operation

ROLES: dict[str, tuple[Operation, ...]] = {
    "producer": PRODUCER,
    "worker": WORKER,
    "reader": READER,
    "operator": OPERATOR,
    "cache": CACHE,
    "pubsub": PUBSUB,
}
SCRIPTS = {
    "producer": r"adding\.|arranging\.add(\+coalescing)?(\+aging)?$|indexing\.|reading\.state|"
    r"scheduling\.(list|remove|upsert)",
    "worker": r"adding\.|children\.(count|detach)|editing\.(data|log|progress)|finishing\.|leasing\.|"
    r"reading\.(health|page|state)|scheduling\.|alerts\.|limiting\.|admitting\.|versioning\.(admit|take)|arranging\.|"
    r"indexing\.|coalescing\.settle|expiring\.|halting\.(apply|release)|breaking\.",
    "reader": r"children\.(count|look)|reading\.|scheduling\.list|limiting\.look|versioning\.(count|look)|"
    r"durable\.(facts|groups)",
    "operator": r"adding\.add$|children\.(count|look)|editing\.(cancel|data|promote|remove|retry)$|reading\.|"
    r"halting\.|keyed\.(lengths|list|look|replay|resume)|limiting\.(look|freeze)|"
    r"indexing\.|durable\.(facts|groups)|managing\.(clean|pause|resume|retry)$|"
    r"scheduling\.(list|remove)|versioning\.(count|divide|look)",
    "cache": r"caching\.|leasing\.renew",
    "pubsub": r"broadcast\.|durable\.",
}
