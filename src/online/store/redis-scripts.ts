/**
 * What is done in Redis at once, whoever else writes: scripts. Knows keys and arguments; does not know what they are made of.
 *
 * Every change that others have to hear of has a number, from 1 without a gap, and an entry of a stream with this number as its id. The stream is cut at
 * `KEPT_CHANGES` entries: whoever is behind reads everything again.
 */

/** Digits of a number as it lies there. */
export const DIGITS = 16;
const KEPT_CHANGES = 50_000;
/** What a store is whose id is not there any more. */
export const REPLACED = 'it was emptied or replaced: start the servers anew';

/** `announce(change, changes, kind, data)`: a change, with its number. */
const ANNOUNCING = `
local function announce(change, changes, kind, data)
  local number = redis.call('INCR', change)
  redis.call('XADD', changes, 'MAXLEN', '~', ${KEPT_CHANGES}, string.format('%d-0', number), 'kind', kind, 'data', data)
  return number
end
local function counted(order, counts)
  local told = {}
  for _, item in ipairs(order) do
    told[#told + 1] = item
    told[#told + 1] = counts[item]
  end
  return cjson.encode(told)
end`;

/** KEYS: change, changes; ARGV: kind, data. The number. */
export const ANNOUNCE = `${ANNOUNCING}
return announce(KEYS[1], KEYS[2], ARGV[1], ARGV[2])`;

/**
 * KEYS: change, changes, sequence, events, ids, counts, revisions, meta, the prefix of histories; ARGV: the id of the store, and five of each event: id, user,
 * time, event, item that counts. Whether each is new, and the newest number.
 */
export const APPEND = `${ANNOUNCING}
if redis.call('HGET', KEYS[8], 'id') ~= ARGV[1] then return redis.error_reply('OTHERSTORE ${REPLACED}') end
local isNew, order, counts = {}, {}, {}
for i = 2, #ARGV, 5 do
  local id, user, time, event, item = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  if id ~= '' and redis.call('HEXISTS', KEYS[5], id) == 1 then
    isNew[#isNew + 1] = 0
  else
    local number = string.format('%0${DIGITS}d', redis.call('INCR', KEYS[3]))
    redis.call('HSET', KEYS[4], number, event)
    redis.call('ZADD', KEYS[9] .. user, time, number)
    redis.call('HINCRBY', KEYS[7], user, 1)
    if id ~= '' then redis.call('HSET', KEYS[5], id, number) end
    if item ~= '' then
      if counts[item] == nil then order[#order + 1] = item end
      counts[item] = redis.call('HINCRBY', KEYS[6], item, 1)
    end
    isNew[#isNew + 1] = 1
  end
end
if #order > 0 then announce(KEYS[1], KEYS[2], 'counts', counted(order, counts)) end
isNew[#isNew + 1] = tonumber(redis.call('GET', KEYS[3]) or '0')
return isNew`;

/** KEYS: erased, sequence; ARGV: user, time. */
export const NOTE_ERASED = `
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. tonumber(redis.call('GET', KEYS[2]) or '0'))`;

/** KEYS: change, changes, events, ids, counts, history; ARGV: three of each event: number, id, item that counts. */
export const ERASE = `${ANNOUNCING}
local order, counts = {}, {}
for i = 1, #ARGV, 3 do
  local item = ARGV[i + 2]
  if redis.call('HDEL', KEYS[3], ARGV[i]) == 1 and item ~= '' then
    if counts[item] == nil then order[#order + 1] = item end
    counts[item] = redis.call('HINCRBY', KEYS[5], item, -1)
  end
  redis.call('ZREM', KEYS[6], ARGV[i])
  if ARGV[i + 1] ~= '' then redis.call('HDEL', KEYS[4], ARGV[i + 1]) end
end
if #order > 0 then announce(KEYS[1], KEYS[2], 'counts', counted(order, counts)) end
return 1`;
