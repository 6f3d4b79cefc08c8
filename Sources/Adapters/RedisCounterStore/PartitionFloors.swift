import MeteringPorts

/// What this process has seen of one partition: per shard, an offset from which on there was no
/// delta for that shard up to the next batch.
///
/// A batch moves only the watermarks of shards that it touches. So a shard's stored watermark `w`
/// stands for the whole range of offsets without deltas after it: content is right for a batch that
/// starts at `base` whenever floor ≤ w ≤ base.
struct PartitionFloors: Sendable {
    private var epoch: Int64
    private var base: Int64
    private var next: Int64
    private var floors: [Int64]
    /// Shards with deltas in the batch base..<next.
    private var touched: Set<Int> = []

    /// Before the first batch nothing is known: only the watermark `base` itself will do.
    init(batch: CounterBatch, shardCount: Int) {
        epoch = batch.epoch
        base = batch.baseOffset
        next = batch.baseOffset
        floors = [Int64](repeating: batch.baseOffset, count: shardCount)
    }

    /// Takes note of a batch, new or repeated, and of the shards that it has deltas for.
    mutating func advance(to batch: CounterBatch, touching shards: some Sequence<Int>) {
        let isRepeated = batch.baseOffset == base && batch.nextOffset == next
        if batch.epoch != epoch || !(isRepeated || batch.baseOffset == next) {
            // Batches in between are unknown here.
            self = PartitionFloors(batch: batch, shardCount: floors.count)
        }
        if !isRepeated {
            for shard in touched { floors[shard] = next }
            touched.removeAll(keepingCapacity: true)
            base = batch.baseOffset
            next = batch.nextOffset
        }
        touched.formUnion(shards)
    }

    /// For the batch last advanced to.
    func floor(of shard: Int) -> Int64 { floors[shard] }
}
