import MeteringModel
import MeteringPorts
import RedisClient
import RedisCounterStore
import Testing

/// Random histories of two nodes and two partitions, with lost and repeated applies, late zombies,
/// old snapshots and lost data; after each step, every ready shard must contain exactly what the
/// ledger had at the shard's watermarks.
@Suite struct CounterSimulationTests {
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `shards are exactly the ledger at their watermarks`(seed: UInt64) async throws {
        var world = try await World(seed: seed)
        for _ in 0..<300 {
            try await world.step()
            try await world.check()
        }
        try await world.heal()
        try await world.check()
    }
}

private struct World {
    static let shardCount = 3
    static let customers = (0..<7).map { "customer-\($0)" }

    let server: RedisServerProcess
    var random: SplitMix64
    var nodes: [RedisCounterStore]
    /// Per partition, the batches that the ledger has committed.
    var history: [Int32: [CounterBatch]] = [0: [], 1: []]
    /// Watermarks that a node read from the ledger at some earlier time.
    var oldSnapshots: [[Int32: Int64]] = []
    var epoch: Int64 = 1

    init(seed: UInt64) async throws {
        random = SplitMix64(state: seed)
        server = try await RedisServerProcess()
        nodes = []
        for _ in 0..<2 { nodes.append(try newNode()) }
    }

    func newNode() throws -> RedisCounterStore {
        var options = RedisCounterStore.Options()
        options.shardCount = Self.shardCount
        // A shard frozen in the name of a node that crashed is taken over at once.
        options.patience = .zero
        return try RedisCounterStore(server.configuration, options: options)
    }

    mutating func step() async throws {
        let node = nodes[Int.random(in: 0..<2, using: &random)]
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<50:
            _ = try await node.apply(commit())
        case 50..<58:
            // Committed; the node dies before it applies.
            _ = commit()
        case 58..<70:
            // A batch of any age comes again, from any node.
            let partition = Int32.random(in: 0..<2, using: &random)
            if let batch = history[partition]?.randomElement(using: &random) {
                _ = try await node.apply(batch)
            }
        case 70..<75:
            let index = Int.random(in: 0..<2, using: &random)
            await nodes[index].close()
            nodes[index] = try newNode()
            epoch += 1
        case 75..<77:
            _ = try await server.run("FLUSHALL")
        case 77..<82:
            oldSnapshots.append(watermarks)
        case 82..<86:
            if let old = oldSnapshots.randomElement(using: &random) {
                try await rebuild(Int.random(in: 0..<Self.shardCount, using: &random), node, old)
            }
        default:
            try await rebuild(
                Int.random(in: 0..<Self.shardCount, using: &random), node, watermarks)
        }
    }

    /// What the nodes do of their own accord: repeat rebuilds until every shard is ready, apply.
    mutating func heal() async throws {
        for shard in 0..<Self.shardCount {
            // The second one answers a refusal of the first.
            for _ in 0..<2 { try await rebuild(shard, nodes[0], watermarks) }
        }
        for _ in 0..<10 {
            let result = try await nodes[0].apply(commit())
            #expect(result.isClean)
        }
        for shard in 0..<Self.shardCount {
            let ready = try await nodes[0].watermarks(shard: shard)
            #expect(!ready.isEmpty)
        }
        let expected = usage(at: watermarks)
        let read = try await nodes[0].read(Self.customers.map { key($0) })
        #expect(read.map { $0?.used ?? 0 } == Self.customers.map { expected[$0] ?? 0 })
    }

    func check() async throws {
        for shard in 0..<Self.shardCount {
            let marks = try await nodes[0].watermarks(shard: shard)
            if marks.isEmpty { continue }
            let customers = Self.customers.filter { nodes[0].shard(of: CustomerID($0)) == shard }
            let expected = usage(at: marks)
            let read = try await nodes[0].read(customers.map { key($0) })
            #expect(read.map { $0?.used ?? 0 } == customers.map { expected[$0] ?? 0 })
        }
    }

    private mutating func commit() -> CounterBatch {
        let partition = Int32.random(in: 0..<2, using: &random)
        let base = history[partition]?.last?.nextOffset ?? 0
        let next = base + Int64.random(in: 1...5, using: &random)
        var deltas: [CounterBatch.Delta] = []
        for customer in Self.customers where Int.random(in: 0..<4, using: &random) == 0 {
            deltas.append(delta(customer, used: Int64.random(in: -2...9, using: &random)))
        }
        let batch = CounterBatch(
            partition: partition, epoch: epoch, baseOffset: base, nextOffset: next,
            deltas: deltas)
        history[partition, default: []].append(batch)
        return batch
    }

    private var watermarks: [Int32: Int64] {
        history.mapValues { $0.last?.nextOffset ?? 0 }
    }

    private func usage(at watermarks: [Int32: Int64]) -> [String: Int64] {
        var usage: [String: Int64] = [:]
        for (partition, batches) in history {
            for batch in batches where batch.nextOffset <= watermarks[partition] ?? 0 {
                for delta in batch.deltas {
                    usage[delta.key.customer.rawValue, default: 0] += delta.used
                }
            }
        }
        return usage
    }

    private func rebuild(
        _ shard: Int, _ node: RedisCounterStore, _ marks: [Int32: Int64]
    ) async throws {
        let usage = usage(at: marks)
        let counters = usage.map { counter($0.key, used: $0.value) }
            .filter { node.shard(of: $0.key.root) == shard }
        do throws(SharedCounterError) {
            try await node.rebuild(shard: shard, counters: counters, watermarks: marks)
        } catch {
            // Too old a snapshot.
            #expect(error.code == .rejected)
        }
    }
}

private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
