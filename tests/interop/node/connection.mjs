// What ioredis wants to know, from the URL of a server, of a Sentinel set or of a cluster.
import { Cluster } from "ioredis";

const SET = /^redis\+(sentinel|cluster):\/\/(?:([^@/]*)@)?([^/?]+)(?:\/([^?]*))?$/;

export function connection(url) {
  const set = SET.exec(url);
  if (set) return connectionToSet(...set.slice(1));
  const { protocol, hostname, port, pathname, username, password, searchParams } = new URL(url);
  const login = loginOf(username, password);
  return protocol === "unix:"
    ? { path: pathname, db: Number(searchParams.get("db") ?? 0), ...login }
    : { host: hostname, port: Number(port || 6379), db: Number(pathname.slice(1) || 0), ...login };
}

function loginOf(username, password) {
  return { username: username || undefined, password: password ? decodeURIComponent(password) : undefined };
}

function connectionToSet(kind, login, places, name) {
  const hosts = places.split(",").map((place) => {
    const [host, port] = place.split(":");
    return { host, port: Number(port) };
  });
  const account = loginOf(...(login ?? "").split(":"));
  if (kind === "sentinel") return { sentinels: hosts, name, ...account };
  // Of its own accord it follows a call for 16 times 100 ms, which is less than a failover takes.
  return new Cluster(hosts, {
    retryDelayOnFailover: 500,
    retryDelayOnClusterDown: 500,
    redisOptions: { maxRetriesPerRequest: null, ...account },
  });
}
