extension CounterScript {
    /// A rebuild: `begin` freezes the shard, `stage` and `sweep` write the new generation beside
    /// the old one, `commit` switches over. Each of them stops when another node took over.
    static let rebuilding = #"""
        -- run, owner, patient, waited, buckets, then per partition: partition, next.
        -- Freezes the shard and answers the generation to build.
        local function begin(keys, args)
            local run, owner, patient, waited = args[1], args[2], args[3], args[4]
            local beat = foreign_beat(keys, owner, patient)
            if beat then return { BUSY, beat } end
            if ready(keys, run) then
                if waited == '1' then return { SUPERSEDED } end
                local given = {}
                for i = 6, #args, 2 do given[args[i]] = tonumber(args[i + 1]) end
                local stored = redis.call('HGETALL', keys[2])
                for i = 1, #stored, 2 do
                    local _, next_offset = mark(stored[i + 1])
                    if next_offset and next_offset > (given[stored[i]] or 0) then
                        freeze(keys, owner)
                        return { OUTDATED }
                    end
                end
            end
            freeze(keys, owner)
            local shard = open(keys)
            if shard.staging then purge(shard, shard.staging) end
            local generation = redis.call('HINCRBY', shard.meta, 'last', 1)
            redis.call(
                'HSET', shard.meta, 'staging', generation, 'staging_buckets', args[5])
            return { DONE, generation }
        end

        local function is_building(shard, owner, generation)
            return shard.owner == owner and shard.staging == generation
        end

        -- owner, generation, retention, then per counter: place, counter, used, observed, granted.
        -- Grants only grow: some may be newer than the ledger's snapshot.
        local function stage(keys, args)
            local generation = args[2]
            local shard = open(keys)
            if not is_building(shard, args[1], generation) then return { SUPERSEDED } end
            redis.call('HINCRBY', shard.meta, 'beat', 1)
            for i = 4, #args, 5 do
                local field, place = args[i + 1], args[i]
                local used, observed = tonumber(args[i + 2]), tonumber(args[i + 3])
                local granted = math.max(tonumber(args[i + 4]), used - observed)
                if shard.generation then
                    local key =
                        counters(shard, shard.generation) .. bucket_at(place, shard.buckets)
                    local _, _, before = units(redis.call('HGET', key, field))
                    granted = math.max(granted, before)
                end
                if not (fits(used) and fits(observed) and fits(granted)) then
                    return redis.error_reply('TGRANGE a counter would pass 2^53')
                end
                local bucket = bucket_at(place, shard.staging_buckets)
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
                local day = bucket - bucket % SLOTS
                local entries = redis.call('HGETALL', old .. bucket)
                for i = 1, #entries, 2 do
                    local field = entries[i]
                    local _, _, granted = units(entries[i + 1])
                    if granted > 0 then
                        local target = bucket_at(day + hash_of(field), shard.staging_buckets)
                        if redis.call('HEXISTS', new .. target, field) == 0 then
                            put(shard, generation, target, field, text(0, 0, granted), args[3])
                        end
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
                watermarks[#watermarks + 1] = string.format('%d:', epoch) .. args[i + 1]
            end
            redis.call('DEL', keys[2])
            for i = 1, #watermarks, 2 do
                redis.call('HSET', keys[2], watermarks[i], watermarks[i + 1])
            end
            local buckets = string.format('%d', shard.staging_buckets)
            redis.call(
                'HSET', shard.meta, 'generation', generation, 'buckets', buckets, 'ready',
                run .. ' ' .. generation .. ' ' .. buckets)
            redis.call('HDEL', shard.meta, 'owner', 'staging', 'staging_buckets', 'beat')
            if shard.generation then purge(shard, shard.generation) end
            return { DONE }
        end


        """#
}
