import { createHash } from "node:crypto";
import { ErrorReply } from "@redis/client";
import type { Argument, Connection, Reply } from "./command.ts";
import type { CallOf } from "./errors.ts";

/** Lua that runs on the server in one step, so that nothing comes between what it looks at and what it changes. */
export interface Script {
  readonly source: string;
  readonly hash: string;
}

const script = (source: string): Script => ({ source, hash: createHash("sha1").update(source).digest("hex") });

/** Runs a script by its hash. A server that does not know it has done nothing, and gets the whole of it. */
export function run<T>(
  connection: Connection,
  { source, hash }: Script,
  keys: readonly string[],
  args: readonly Argument[],
  call: CallOf,
  decode: (reply: Reply) => T,
): Promise<T> {
  const rest = [String(keys.length), ...keys, ...args];
  return connection.send(keys[0]!, ["EVALSHA", hash, ...rest], call, decode).catch((error: unknown) => {
    if (!(error instanceof Error && error.cause instanceof ErrorReply && error.cause.message.startsWith("NOSCRIPT"))) throw error;
    return connection.send(keys[0]!, ["EVAL", source, ...rest], call, decode);
  });
}

/**
 * Milliseconds that chunks stay after their entry was replaced or removed, and that each look at one of them prolongs: so
 * long a stream may pause.
 */
export const grace = 30_000;

/** Milliseconds after which the chunks of a write that goes on no more are forgotten. */
const draftLife = 3_600_000;

/** Reads the beginning of an entry: where its body is, and its etag. */
const head = `
local function parts(stored)
  local at, body = 1, nil
  if string.byte(stored, 1) == 67 then
    local length = string.byte(stored, 2) * 256 + string.byte(stored, 3)
    body = string.sub(stored, 4, 3 + length)
    at = 16 + length
  end
  local etag = at + 10
  if (string.byte(stored, at + 1) or 0) % 2 == 1 then etag = etag + 8 end
  return body, string.sub(stored, etag + 1, etag + (string.byte(stored, etag) or 0))
end
`;

/** KEYS: the entry. ARGV: what is stored, the last millisecond of its life or nothing. Gives 1. */
export const put: Script = script(`
local old
if ARGV[2] then
  old = redis.call('SET', KEYS[1], ARGV[1], 'GET', 'PXAT', ARGV[2])
else
  old = redis.call('SET', KEYS[1], ARGV[1], 'GET')
end
if old and string.byte(old, 1) == 67 then
  local length = string.byte(old, 2) * 256 + string.byte(old, 3)
  redis.call('PEXPIRE', string.sub(old, 4, 3 + length), ${grace}, 'LT')
end
return 1
`);

/** Words of one operation of \`change\`. */
const changeWidth = 6;

/**
 * Puts and deletes, all or none. KEYS: the entries, and the index last where there is one. ARGV: whether there is an index,
 * then for each operation: the condition ("" for none, "*" for nothing there, "=" and an etag), what is stored ("" for a
 * delete), the last millisecond of its life or "", its body or "", the chunks of that, and the key. Gives 0; or the number of the first whose
 * condition does not hold; or, below 0, of the first whose chunks are gone.
 */
export const change: Script = script(`${head}
local indexed = ARGV[1] == '1'
local count = indexed and #KEYS - 1 or #KEYS
local index = KEYS[#KEYS]
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local etags = {}
for i = 1, count do
  local name, at = KEYS[i], 2 + (i - 1) * ${changeWidth}
  local condition, stored, expires = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if condition ~= '' then
    local etag = etags[name]
    if etag == nil then
      local old = redis.call('GETRANGE', name, 0, 2047)
      etag = false
      if old ~= '' then
        local _, found = parts(old)
        etag = found
      end
    end
    if condition == '*' then
      if etag then return i end
    elseif etag ~= string.sub(condition, 2) then
      return i
    end
  end
  local body = ARGV[at + 3]
  if body ~= '' and redis.call('HLEN', body) ~= tonumber(ARGV[at + 4]) then return -i end
  if stored == '' or (expires ~= '' and tonumber(expires) < now) then
    etags[name] = false
  else
    local _, written = parts(stored)
    etags[name] = written
  end
end
for i = 1, count do
  local name, at = KEYS[i], 2 + (i - 1) * ${changeWidth}
  local stored, expires, body = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local old = redis.call('GETRANGE', name, 0, 2047)
  if old ~= '' then
    local retired = parts(old)
    if retired then redis.call('PEXPIRE', retired, ${grace}, 'LT') end
  end
  if stored == '' or (expires ~= '' and tonumber(expires) < now) then
    redis.call('UNLINK', name)
    if body ~= '' then redis.call('UNLINK', body) end
    if indexed then redis.call('ZREM', index, ARGV[at + 5]) end
  else
    if expires ~= '' then
      redis.call('SET', name, stored, 'PXAT', expires)
      if body ~= '' then redis.call('PEXPIREAT', body, string.format('%.0f', tonumber(expires) + ${grace})) end
    else
      redis.call('SET', name, stored)
      if body ~= '' then redis.call('PERSIST', body) end
    end
    if indexed then redis.call('ZADD', index, 0, ARGV[at + 5]) end
  end
end
return 0
`);

/** KEYS: the entry. Gives its beginning without its value, and bytes of the whole; or nothing. */
export const look: Script = script(`
local stored = redis.call('GETRANGE', KEYS[1], 0, 2047)
if stored == '' then return nil end
local total = redis.call('STRLEN', KEYS[1])
if total <= 2048 then return {stored, total} end
local at = 1
if string.byte(stored, 1) == 67 then at = 16 + string.byte(stored, 2) * 256 + string.byte(stored, 3) end
local flags = string.byte(stored, at + 1)
local start = at + 10
if flags % 2 == 1 then start = start + 8 end
start = start + 1 + string.byte(stored, start)
if flags >= 2 then
  local a, b, c, d = string.byte(stored, start, start + 3)
  start = start + 4 + ((a * 256 + b) * 256 + c) * 256 + d
end
return {redis.call('GETRANGE', KEYS[1], 0, start - 2), total}
`);

/** KEYS: the body of a write that goes on. ARGV: the number of a chunk, and the chunk. */
export const addChunk: Script = script(`
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ${draftLife})
`);

/** KEYS: a body. ARGV: the number of a chunk. Gives it, and keeps the body for as long again where it is to go. */
export const getChunk: Script = script(`
local chunk = redis.call('HGET', KEYS[1], ARGV[1])
if chunk then redis.call('PEXPIRE', KEYS[1], ${grace}, 'GT') end
return chunk
`);

/** KEYS: an entry, and a body that stays for ever. Gives the body an end where the entry does not name it, and 1 then. */
export const dropUnnamed: Script = script(`${head}
if redis.call('PTTL', KEYS[2]) ~= -1 then return 0 end
local stored = redis.call('GETRANGE', KEYS[1], 0, 2047)
if stored ~= '' and parts(stored) == KEYS[2] then return 0 end
return redis.call('PEXPIRE', KEYS[2], ${grace})
`);

/**
 * A part of an ordered list. KEYS: the index. ARGV: what entry names begin with, from where in the index, to where, bytes of
 * the prefix, the delimiter or "", how many. Gives whether this was the end, from where to go on, and the keys; those that
 * stand for a prefix follow an empty text. What has expired is removed from the index.
 */
export const page: Script = script(`
local found, from, looked, wanted = {}, ARGV[2], 0, tonumber(ARGV[6])
local count = 0
while count < wanted and looked < 2000 do
  local keys = redis.call('ZRANGEBYLEX', KEYS[1], from, ARGV[3], 'LIMIT', 0, math.min(wanted - count, 200))
  if #keys == 0 then return {1, from, found} end
  for _, key in ipairs(keys) do
    looked = looked + 1
    from = '(' .. key
    if redis.call('EXISTS', ARGV[1] .. key .. '}') == 0 then
      redis.call('ZREM', KEYS[1], key)
    else
      local at = ARGV[5] ~= '' and string.find(key, ARGV[5], ARGV[4] + 1, true)
      count = count + 1
      if at then
        local group = string.sub(key, 1, at + #ARGV[5] - 1)
        found[#found + 1] = ''
        found[#found + 1] = group
        from = '(' .. group .. '\\255'
        break
      end
      found[#found + 1] = key
    end
  end
end
return {0, from, found}
`);

/**
 * Removes up to 500 entries by the index. KEYS: the index. ARGV: as for \`page\`, the first three. Gives whether this was the
 * end, and from where to go on.
 */
export const clearIndexed: Script = script(`${head}
local keys = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], ARGV[3], 'LIMIT', 0, 500)
for _, key in ipairs(keys) do
  local name = ARGV[1] .. key .. '}'
  local old = redis.call('GETRANGE', name, 0, 2047)
  if old ~= '' then
    local body = parts(old)
    if body then redis.call('PEXPIRE', body, ${grace}, 'LT') end
  end
  redis.call('UNLINK', name)
  redis.call('ZREM', KEYS[1], key)
end
return {#keys < 500 and 1 or 0, #keys > 0 and '(' .. keys[#keys] or ARGV[2]}
`);

/**
 * KEYS: the lock, and its last token. ARGV: the name of this holder, and milliseconds. Gives a token that is greater than
 * every one before, by the time of the server in microseconds; or nothing where somebody holds the lock.
 */
export const lock: Script = script(`
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return nil end
local now = redis.call('TIME')
local token = math.max(now[1] * 1000000 + now[2], tonumber(redis.call('GET', KEYS[2]) or '0') + 1)
local text = string.format('%.0f', token)
redis.call('SET', KEYS[2], text, 'PX', tonumber(ARGV[2]) + 86400000)
return text
`);

/** KEYS: the lock. ARGV: the name of this holder, and milliseconds from now, 0 to give it back. Gives whether it was held. */
export const holdLock: Script = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('UNLINK', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`);
