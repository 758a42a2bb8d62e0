// What ioredis wants to know, from the URL of a server.

export function connection(url) {
  const { protocol, hostname, port, pathname, username, password, searchParams } = new URL(url);
  const login = { username: username || undefined, password: decodeURIComponent(password) || undefined };
  return protocol === "unix:"
    ? { path: pathname, db: Number(searchParams.get("db") ?? 0), ...login }
    : { host: hostname, port: Number(port || 6379), db: Number(pathname.slice(1) || 0), ...login };
}
