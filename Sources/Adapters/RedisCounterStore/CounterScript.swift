/// The Lua text of the function library; `CounterLibrary` puts the header before it.
///
/// Keys of a shard, `P` being `tg:{s17}:` :
/// - `Pm` hash: `ready` (only while the shard may be used: server incarnation it was built in,
///   generation, number of buckets), `generation` and `buckets` of the live counters, `owner` (who
///   froze the shard for a rebuild), `staging` and `staging_buckets` of the rebuild, `last`
///   (generation number last given out), `beat` (progress of the rebuild).
/// - `Pw` hash: partition → `epoch:next`.
/// - `Pc<generation>:<bucket>` hash: counter → `U`, or `U O G`. The short form means O = U, G = 0.
/// - `Pi<generation>` set: the buckets that exist.
///
/// Lua numbers are doubles, so nothing beyond 2^53 is ever stored: such a call is refused whole.
enum CounterScript {
    static let body = shared + serving + rebuilding + registration

    private static let shared = #"""
        local LIMIT = 9007199254740991
        local DONE, STALE, FENCED, BUSY, SUPERSEDED, OUTDATED = 0, 1, 2, 3, 4, 5

        local function units(value)
            if not value then return 0, 0, 0 end
            local used = tonumber(value)
            if used then return used, used, 0 end
            local u, o, g = string.match(value, '^(%-?%d+) (%-?%d+) (%-?%d+)$')
            return tonumber(u), tonumber(o), tonumber(g)
        end

        local function text(used, observed, granted)
            if granted == 0 and used == observed then return string.format('%d', used) end
            return string.format('%d %d %d', used, observed, granted)
        end

        local function fits(number)
            return number ~= nil and number <= LIMIT and number >= -LIMIT
        end

        -- The shard as it may be used; nil when it must be rebuilt first.
        local function ready(keys, run)
            local record = redis.call('HGET', keys[1], 'ready')
            if not record then return nil end
            local built_in, generation, buckets = string.match(record, '^(%S+) (%d+) (%d+)$')
            if built_in ~= run then return nil end
            return {
                prefix = string.sub(keys[1], 1, -2), generation = generation,
                buckets = tonumber(buckets),
            }
        end

        -- The shard as a rebuild sees it.
        local function open(keys)
            local fields = redis.call(
                'HMGET', keys[1], 'generation', 'buckets', 'owner', 'staging', 'staging_buckets')
            return {
                meta = keys[1], prefix = string.sub(keys[1], 1, -2), generation = fields[1],
                buckets = tonumber(fields[2]), owner = fields[3], staging = fields[4],
                staging_buckets = tonumber(fields[5]),
            }
        end

        local function freeze(keys, owner)
            redis.call('HSET', keys[1], 'owner', owner)
            redis.call('HDEL', keys[1], 'ready')
        end

        -- Progress of another node's rebuild; nil when there is none to wait for.
        local function foreign_beat(keys, owner, patient)
            if patient ~= '1' then return nil end
            local fields = redis.call('HMGET', keys[1], 'owner', 'beat')
            if not fields[1] or fields[1] == owner then return nil end
            return tonumber(fields[2] or '0')
        end

        local function counters(shard, generation)
            return shard.prefix .. 'c' .. generation .. ':'
        end

        -- A place is day * SLOTS + hash. As many low bits of the hash as the generation has buckets
        -- name the bucket.
        local function bucket_at(place, buckets)
            local hash = place % SLOTS
            return string.format('%d', place - hash + hash % buckets)
        end

        -- The hash of a counter's bytes, as CounterAddress computes it.
        local function hash_of(field)
            local hash = 0
            for i = 1, #field do
                hash = (hash * 65599 + string.byte(field, i)) % 4294967291
            end
            return hash % SLOTS
        end

        local function put(shard, generation, bucket, field, value, retention)
            local key = counters(shard, generation) .. bucket
            if redis.call('HSET', key, field, value) == 0 then return end
            if redis.call('HLEN', key) > 1 then return end
            redis.call('SADD', shard.prefix .. 'i' .. generation, bucket)
            local day = math.floor(tonumber(bucket) / SLOTS)
            if day < 1000000 then
                local expiry = (day + 1) * 86400 + tonumber(retention)
                redis.call('EXPIREAT', key, string.format('%d', expiry))
            end
        end

        local function purge(shard, generation)
            local index = shard.prefix .. 'i' .. generation
            for _, bucket in ipairs(redis.call('SMEMBERS', index)) do
                redis.call('UNLINK', counters(shard, generation) .. bucket)
            end
            redis.call('UNLINK', index)
        end

        local function mark(value)
            if not value then return nil, nil end
            local epoch, next_offset = string.match(value, '^(%-?%d+):(%-?%d+)$')
            return tonumber(epoch), tonumber(next_offset)
        end


        """#

    private static let serving = #"""
        -- run, owner, patient, partition, epoch, floor, base, next, retention,
        -- then per delta: place, counter, used (with '=' before it: a reading), observed
        local function apply(keys, args)
            local run, owner, patient, partition = args[1], args[2], args[3], args[4]
            local epoch, floor = tonumber(args[5]), tonumber(args[6])
            local base, next_offset = tonumber(args[7]), tonumber(args[8])
            local stored_epoch, stored = mark(redis.call('HGET', keys[2], partition))
            if stored_epoch and stored_epoch > epoch then return { FENCED } end
            local shard = ready(keys, run)
            if not shard or not stored then
                local beat = foreign_beat(keys, owner, patient)
                if beat then return { BUSY, beat } end
                freeze(keys, owner)
                return { STALE }
            end
            if stored >= next_offset then
                if stored_epoch < epoch then
                    redis.call('HSET', keys[2], partition, args[5] .. string.format(':%d', stored))
                end
                return { DONE }
            end
            if stored < floor or stored > base then
                freeze(keys, owner)
                return { STALE }
            end

            -- All sums first: nothing is written when one of them is out of range.
            local prefix = counters(shard, shard.generation)
            local count, places, buckets, fields = 0, {}, {}, {}
            local used, observed, granted = {}, {}, {}
            for i = 10, #args, 4 do
                local field = args[i + 1]
                local n = places[field]
                if not n then
                    n = count + 1
                    count = n
                    places[field], fields[n] = n, field
                    buckets[n] = bucket_at(args[i], shard.buckets)
                    used[n], observed[n], granted[n] =
                        units(redis.call('HGET', prefix .. buckets[n], field))
                end
                local amount = tonumber(args[i + 2])
                if amount then
                    used[n] = used[n] + amount
                    observed[n] = observed[n] + tonumber(args[i + 3])
                    -- What was admitted and has come back as usage was granted at some time,
                    -- even if the store that granted it is lost.
                    granted[n] = math.max(granted[n], used[n] - observed[n])
                else
                    local reading = tonumber(string.sub(args[i + 2], 2))
                    used[n], observed[n] = reading, reading
                end
                if not (fits(used[n]) and fits(observed[n]) and fits(granted[n])) then
                    return redis.error_reply('TGRANGE a counter would pass 2^53')
                end
            end
            local is_written = pcall(function()
                for n = 1, count do
                    local value = text(used[n], observed[n], granted[n])
                    put(shard, shard.generation, buckets[n], fields[n], value, args[9])
                end
            end)
            if not is_written then
                freeze(keys, owner)
                return { STALE }
            end
            redis.call('HSET', keys[2], partition, args[5] .. ':' .. args[8])
            return { DONE }
        end

        -- run, retention, then per request: place, counter, quantity, limit ('' for none).
        -- Answers two numbers per request: 1 or 0 for admitted or not, and G + O after it.
        local function admit(keys, args)
            local shard = ready(keys, args[1])
            if not shard then return {} end
            local prefix = counters(shard, shard.generation)
            local answers = {}
            for i = 3, #args, 4 do
                local field, quantity = args[i + 1], tonumber(args[i + 2])
                local bucket = bucket_at(args[i], shard.buckets)
                local limit = tonumber(args[i + 3]) or LIMIT
                local used, observed, granted = units(redis.call('HGET', prefix .. bucket, field))
                local committed = granted + observed
                local is_admitted = committed + quantity <= limit
                if is_admitted and quantity > 0 then
                    committed = committed + quantity
                    local value = text(used, observed, granted + quantity)
                    put(shard, shard.generation, bucket, field, value, args[2])
                end
                answers[#answers + 1] = is_admitted and 1 or 0
                answers[#answers + 1] = committed
            end
            return answers
        end

        -- run, retention, then per request: place, counter, quantity
        local function give_back(keys, args)
            local shard = ready(keys, args[1])
            if not shard then return 0 end
            local prefix = counters(shard, shard.generation)
            for i = 3, #args, 3 do
                local bucket, field = bucket_at(args[i], shard.buckets), args[i + 1]
                local used, observed, granted = units(redis.call('HGET', prefix .. bucket, field))
                local settled = math.max(0, used - observed)
                local left = math.max(settled, granted - tonumber(args[i + 2]))
                if left < granted then
                    put(shard, shard.generation, bucket, field, text(used, observed, left), args[2])
                end
            end
            return 1
        end

        -- run, then per counter: place, counter. Answers its text, or nil.
        local function read(keys, args)
            local shard = ready(keys, args[1])
            local answers = {}
            for i = 2, #args, 2 do
                local value = false
                if shard then
                    local bucket = bucket_at(args[i], shard.buckets)
                    value = redis.call(
                        'HGET', counters(shard, shard.generation) .. bucket, args[i + 1])
                end
                answers[#answers + 1] = value
            end
            return answers
        end

        -- run. Answers partition, mark, partition, mark, …; nothing when the shard is not ready.
        local function marks(keys, args)
            if not ready(keys, args[1]) then return {} end
            return redis.call('HGETALL', keys[2])
        end


        """#

    private static let registration = #"""
        local function register(name, callback, flags)
            redis.register_function {
                function_name = 'tollgate_' .. name .. suffix, callback = callback,
                flags = flags or {},
            }
        end

        register('apply', apply)
        register('admit', admit)
        register('giveBack', give_back)
        register('begin', begin)
        register('stage', stage)
        register('sweep', sweep)
        register('commit', commit)
        register('read', read, { 'no-writes' })
        register('marks', marks, { 'no-writes' })
        register('version', function() return 1 end, { 'no-writes' })
        """#
}
