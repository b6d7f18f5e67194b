// Accounts, and settings of a service that creates them quickly.

let count = 0;

/** Settings with cheap hashing and without limits of attempts. */
export const CHEAP = {
  AUTHAPI_PASSWORD__ALLOW_WEAK_HASHING: "true",
  AUTHAPI_PASSWORD__MEMORY_KIB: "64",
  AUTHAPI_PASSWORD__ITERATIONS: "1",
  AUTHAPI_THROTTLE__ENABLED: "false",
  AUTHAPI_LOG__LEVEL: "warn",
};

/** Returns login and password of a user that no other test has. */
export function account() {
  count += 1;
  return { login: `walrus-${count}`, password: "seven sober otters 42" };
}
