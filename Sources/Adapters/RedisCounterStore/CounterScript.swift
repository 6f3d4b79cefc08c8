/// The Lua text of the function library; `CounterLibrary` puts the header before it.
///
/// Keys of a shard, `P` being `tg:{s17}:` :
/// - `Pm` hash: `generation` (of the live counters), `run` (the server incarnation they were built
///   in), `owner` (who froze the shard for a rebuild), `staging` (generation being built), `last`
///   (generation number last given out), `beat` (progress of the rebuild).
/// - `Pw` hash: partition → `epoch:next`.
/// - `Pc<generation>:<bucket>` hash: counter → `U`, or `U O G`. The short form means O = U, G = 0.
/// - `Pi<generation>` set: the buckets that exist.
///
/// Lua numbers are doubles, so nothing beyond 2^53 is ever stored: such a call is refused whole.
enum CounterScript {
    static let body = #"""
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
            if granted == 0 and used == observed then return string.format('%.0f', used) end
            return string.format('%.0f %.0f %.0f', used, observed, granted)
        end

        local function fits(number)
            return number ~= nil and number <= LIMIT and number >= -LIMIT
        end

        local function open(keys)
            local fields = redis.call('HMGET', keys[1], 'generation', 'run', 'owner', 'staging')
            return {
                meta = keys[1], prefix = string.sub(keys[1], 1, -2), generation = fields[1],
                run = fields[2], owner = fields[3], staging = fields[4],
            }
        end

        local function is_ready(shard, run)
            return shard.generation and shard.run == run and not shard.owner
        end

        local function freeze(shard, owner)
            redis.call('HSET', shard.meta, 'owner', owner)
        end

        local function counters(shard, generation)
            return shard.prefix .. 'c' .. generation .. ':'
        end

        local function put(shard, generation, bucket, field, value, retention)
            local key = counters(shard, generation) .. bucket
            if redis.call('HSET', key, field, value) == 0 then return end
            if redis.call('HLEN', key) > 1 then return end
            redis.call('SADD', shard.prefix .. 'i' .. generation, bucket)
            local day = math.floor(tonumber(bucket) / BUCKETS)
            if day < 1000000 then
                local expiry = (day + 1) * 86400 + tonumber(retention)
                redis.call('EXPIREAT', key, string.format('%.0f', expiry))
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

        -- run, owner, patient, partition, epoch, floor, base, next, retention,
        -- then per delta: bucket, counter, used (with '=' before it: a reading), observed
        local function apply(keys, args)
            local run, owner, patient, partition = args[1], args[2], args[3], args[4]
            local epoch, floor = tonumber(args[5]), tonumber(args[6])
            local base, next_offset = tonumber(args[7]), tonumber(args[8])
            local shard = open(keys)
            local stored_epoch, stored = mark(redis.call('HGET', keys[2], partition))
            if stored_epoch and stored_epoch > epoch then return { FENCED } end
            if shard.owner and shard.owner ~= owner and patient == '1' then
                return { BUSY, tonumber(redis.call('HGET', shard.meta, 'beat') or '0') }
            end
            if not is_ready(shard, run) or not stored then
                freeze(shard, owner)
                return { STALE }
            end
            if stored >= next_offset then
                if stored_epoch < epoch then
                    redis.call('HSET', keys[2], partition, args[5] .. string.format(':%.0f', stored))
                end
                return { DONE }
            end
            if stored < floor or stored > base then
                freeze(shard, owner)
                return { STALE }
            end

            -- All sums first: nothing is written when one of them is out of range.
            local sums = {}
            local prefix = counters(shard, shard.generation)
            for i = 10, #args, 4 do
                local bucket, field, used = args[i], args[i + 1], args[i + 2]
                local fields = sums[bucket]
                if not fields then
                    fields = {}
                    sums[bucket] = fields
                end
                local sum = fields[field]
                if not sum then
                    sum = { units(redis.call('HGET', prefix .. bucket, field)) }
                    fields[field] = sum
                end
                if string.byte(used) == 61 then
                    local reading = tonumber(string.sub(used, 2))
                    sum[1], sum[2] = reading, reading
                else
                    sum[1] = sum[1] + tonumber(used)
                    sum[2] = sum[2] + tonumber(args[i + 3])
                    -- What was admitted and has come back as usage was granted at some time,
                    -- even if the store that granted it is lost.
                    if sum[1] - sum[2] > sum[3] then sum[3] = sum[1] - sum[2] end
                end
                if not (fits(sum[1]) and fits(sum[2]) and fits(sum[3])) then
                    return redis.error_reply('TGRANGE a counter would pass 2^53')
                end
            end
            local is_written = pcall(function()
                for bucket, fields in pairs(sums) do
                    for field, sum in pairs(fields) do
                        local value = text(sum[1], sum[2], sum[3])
                        put(shard, shard.generation, bucket, field, value, args[9])
                    end
                end
            end)
            if not is_written then
                freeze(shard, owner)
                return { STALE }
            end
            redis.call('HSET', keys[2], partition, args[5] .. ':' .. args[8])
            return { DONE }
        end

        -- run, retention, then per request: bucket, counter, quantity, limit ('' for none).
        -- Answers two numbers per request: 1 or 0 for admitted or not, and G + O after it.
        local function admit(keys, args)
            local shard = open(keys)
            if not is_ready(shard, args[1]) then return {} end
            local prefix = counters(shard, shard.generation)
            local answers = {}
            for i = 3, #args, 4 do
                local bucket, field, quantity = args[i], args[i + 1], tonumber(args[i + 2])
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

        -- run, retention, then per request: bucket, counter, quantity
        local function give_back(keys, args)
            local shard = open(keys)
            if not is_ready(shard, args[1]) then return 0 end
            local prefix = counters(shard, shard.generation)
            for i = 3, #args, 3 do
                local bucket, field = args[i], args[i + 1]
                local used, observed, granted = units(redis.call('HGET', prefix .. bucket, field))
                local settled = math.max(0, used - observed)
                local left = math.max(settled, granted - tonumber(args[i + 2]))
                if left < granted then
                    put(shard, shard.generation, bucket, field, text(used, observed, left), args[2])
                end
            end
            return 1
        end

        -- run, then per counter: bucket, counter. Answers its text, or nil.
        local function read(keys, args)
            local shard = open(keys)
            local answers = {}
            local ready = is_ready(shard, args[1])
            for i = 2, #args, 2 do
                local value = false
                if ready then
                    value = redis.call(
                        'HGET', counters(shard, shard.generation) .. args[i], args[i + 1])
                end
                answers[#answers + 1] = value
            end
            return answers
        end

        -- run. Answers partition, mark, partition, mark, …; nothing when the shard is not ready.
        local function marks(keys, args)
            if not is_ready(open(keys), args[1]) then return {} end
            return redis.call('HGETALL', keys[2])
        end

        -- run, owner, patient, waited, then per partition: partition, next.
        -- Freezes the shard and answers the generation to build.
        local function begin(keys, args)
            local run, owner, patient, waited = args[1], args[2], args[3], args[4]
            local shard = open(keys)
            if shard.owner and shard.owner ~= owner and patient == '1' then
                return { BUSY, tonumber(redis.call('HGET', shard.meta, 'beat') or '0') }
            end
            if is_ready(shard, run) then
                if waited == '1' then return { SUPERSEDED } end
                local given = {}
                for i = 5, #args, 2 do given[args[i]] = tonumber(args[i + 1]) end
                local stored = redis.call('HGETALL', keys[2])
                for i = 1, #stored, 2 do
                    local _, next_offset = mark(stored[i + 1])
                    if next_offset and next_offset > (given[stored[i]] or 0) then
                        freeze(shard, owner)
                        return { OUTDATED }
                    end
                end
            end
            freeze(shard, owner)
            if shard.staging then purge(shard, shard.staging) end
            local generation = redis.call('HINCRBY', shard.meta, 'last', 1)
            redis.call('HSET', shard.meta, 'staging', generation)
            return { DONE, generation }
        end

        local function is_building(shard, owner, generation)
            return shard.owner == owner and shard.staging == generation
        end

        -- owner, generation, retention, then per counter: bucket, counter, used, observed, granted.
        -- Grants only grow: some may be newer than the ledger's snapshot.
        local function stage(keys, args)
            local generation = args[2]
            local shard = open(keys)
            if not is_building(shard, args[1], generation) then return { SUPERSEDED } end
            redis.call('HINCRBY', shard.meta, 'beat', 1)
            for i = 4, #args, 5 do
                local bucket, field = args[i], args[i + 1]
                local used, observed = tonumber(args[i + 2]), tonumber(args[i + 3])
                local granted = math.max(tonumber(args[i + 4]), used - observed)
                if shard.generation then
                    local key = counters(shard, shard.generation) .. bucket
                    local _, _, before = units(redis.call('HGET', key, field))
                    granted = math.max(granted, before)
                end
                if not (fits(used) and fits(observed) and fits(granted)) then
                    return redis.error_reply('TGRANGE a counter would pass 2^53')
                end
                put(shard, generation, bucket, field, text(used, observed, granted), args[3])
            end
            return { DONE }
        end

        -- owner, generation, retention, cursor. Carries over grants that the ledger has no usage
        -- for yet; answers the next cursor, 0 at the end.
        local function sweep(keys, args)
            local generation = args[2]
            local shard = open(keys)
            if not is_building(shard, args[1], generation) then return { SUPERSEDED } end
            redis.call('HINCRBY', shard.meta, 'beat', 1)
            if not shard.generation then return { DONE, '0' } end
            local index = shard.prefix .. 'i' .. shard.generation
            local page = redis.call('SSCAN', index, args[4], 'COUNT', 32)
            local old, new = counters(shard, shard.generation), counters(shard, generation)
            for _, bucket in ipairs(page[2]) do
                local entries = redis.call('HGETALL', old .. bucket)
                for i = 1, #entries, 2 do
                    local _, _, granted = units(entries[i + 1])
                    if granted > 0 and redis.call('HEXISTS', new .. bucket, entries[i]) == 0 then
                        put(shard, generation, bucket, entries[i], text(0, 0, granted), args[3])
                    end
                end
            end
            return { DONE, page[1] }
        end

        -- run, owner, generation, then per partition: partition, next. Switches the shard over.
        local function commit(keys, args)
            local run, generation = args[1], args[3]
            local shard = open(keys)
            if not is_building(shard, args[2], generation) then return { SUPERSEDED } end
            local watermarks = {}
            for i = 4, #args, 2 do
                local epoch = mark(redis.call('HGET', keys[2], args[i])) or 0
                watermarks[#watermarks + 1] = args[i]
                watermarks[#watermarks + 1] = string.format('%.0f:', epoch) .. args[i + 1]
            end
            redis.call('DEL', keys[2])
            for i = 1, #watermarks, 2 do
                redis.call('HSET', keys[2], watermarks[i], watermarks[i + 1])
            end
            redis.call('HSET', shard.meta, 'generation', generation, 'run', run)
            redis.call('HDEL', shard.meta, 'owner', 'staging', 'beat')
            if shard.generation then purge(shard, shard.generation) end
            return { DONE }
        end

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
