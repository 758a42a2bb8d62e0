// Where the server is, as ioredis wants it.
const { hostname, port, pathname, username, password } = new URL(process.env.REDIS_URL ?? "redis://localhost:6379");

export const connection = {
  host: hostname,
  port: Number(port || 6379),
  db: Number(pathname.slice(1) || 0),
  username: username || undefined,
  password: decodeURIComponent(password) || undefined,
};
