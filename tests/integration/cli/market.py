"""An application whose queue has shards."""

from stockyard import Topology

market = Topology("market")
market.queue("market:ticks", shards=2)
