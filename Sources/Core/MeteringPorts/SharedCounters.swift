package import MeteringModel

/// The counters that all nodes share (Redis). A fast copy: the ledger can rebuild it at any time.
/// Calls are grouped and pipelined by the implementation; each has a deadline.
package protocol SharedCounters: AnyObject, Sendable {
    /// Adds deltas of one partition, with compare-and-set on its watermark in each shard.
    /// The same batch again changes nothing. Shards whose watermark is elsewhere are answered as
    /// stale: the caller rebuilds them from the ledger.
    func apply(_ batch: CounterBatch) async throws(SharedCounterError) -> CounterApplyResult
    /// Asks for units of quotas; all-or-nothing per request, decided in the store.
    func admit(
        _ requests: [CounterAdmission]
    ) async throws(SharedCounterError) -> [CounterAdmissionResult]
    /// Gives admitted units back (failed append, released hold).
    func giveBack(_ requests: [CounterAdmission]) async throws(SharedCounterError)
    /// Replaces one shard's counters and watermarks by the ledger's.
    func rebuild(
        shard: Int, counters: [SharedCounter], watermarks: [Int32: Int64]
    ) async throws(SharedCounterError)
    /// Reads counters back, for reconciliation. Missing ones are nil.
    func read(_ keys: [SharedCounterKey]) async throws(SharedCounterError) -> [SharedCounter?]
    /// Watermarks of a shard; empty when the shard is blank.
    func watermarks(shard: Int) async throws(SharedCounterError) -> [Int32: Int64]
    func shard(of root: CustomerID) -> Int
    var shardCount: Int { get }
    var isReachable: Bool { get }
    func close() async
}

/// A counter's identity in the shared store; `root` decides the shard.
package struct SharedCounterKey: Hashable, Sendable {
    package var root: CustomerID
    package var customer: CustomerID
    package var meter: MeterKey
    package var period: Period
    package init(root: CustomerID, customer: CustomerID, meter: MeterKey, period: Period) {
        self.root = root
        self.customer = customer
        self.meter = meter
        self.period = period
    }
}

/// U, O and G of `architecture.md` §5 for one counter, in units.
package struct SharedCounter: Hashable, Sendable {
    package var key: SharedCounterKey
    /// Used: every event.
    package var used: Int64
    /// The part of `used` that no admission had charged.
    package var observed: Int64
    /// Admitted and not given back.
    package var granted: Int64
    package init(key: SharedCounterKey, used: Int64, observed: Int64, granted: Int64) {
        self.key = key
        self.used = used
        self.observed = observed
        self.granted = granted
    }
}

package struct CounterBatch: Sendable {
    package struct Delta: Sendable {
        package var key: SharedCounterKey
        package var isAdditive: Bool
        /// Additive: units to add. Otherwise: the absolute reading after this batch.
        package var used: Int64
        /// Additive: the part of `used` not charged at admission.
        package var observed: Int64
        package init(key: SharedCounterKey, isAdditive: Bool, used: Int64, observed: Int64) {
            self.key = key
            self.isAdditive = isAdditive
            self.used = used
            self.observed = observed
        }
    }
    package var partition: Int32
    package var epoch: Int64
    package var baseOffset: Int64
    package var nextOffset: Int64
    package var deltas: [Delta]
    package init(
        partition: Int32, epoch: Int64, baseOffset: Int64, nextOffset: Int64, deltas: [Delta]
    ) {
        self.partition = partition
        self.epoch = epoch
        self.baseOffset = baseOffset
        self.nextOffset = nextOffset
        self.deltas = deltas
    }
}

package struct CounterApplyResult: Sendable {
    /// Shards whose watermark was neither the batch's base nor its end.
    package var staleShards: [Int]
    /// Shards where another owner has a later epoch.
    package var fencedShards: [Int]
    package init(staleShards: [Int], fencedShards: [Int]) {
        self.staleShards = staleShards
        self.fencedShards = fencedShards
    }
}

package struct CounterAdmission: Sendable {
    package var key: SharedCounterKey
    package var quantity: Int64
    /// Nil: admit whatever is asked (soft or unlimited quota).
    package var hardLimit: Int64?
    package init(key: SharedCounterKey, quantity: Int64, hardLimit: Int64?) {
        self.key = key
        self.quantity = quantity
        self.hardLimit = hardLimit
    }
}

package struct CounterAdmissionResult: Sendable {
    package enum Verdict: Sendable { case admitted, exhausted, rebuilding }
    package var verdict: Verdict
    /// G + O after the call.
    package var committed: Int64
    package init(verdict: Verdict, committed: Int64) {
        self.verdict = verdict
        self.committed = committed
    }
}

package struct SharedCounterError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case unreachable, timeout, rejected, misconfigured, closed
    }
    package var code: Code
    package var message: String
    /// Whether the call may have taken effect.
    package var isOutcomeUnknown: Bool
    package init(code: Code, message: String, isOutcomeUnknown: Bool = false) {
        self.code = code
        self.message = message
        self.isOutcomeUnknown = isOutcomeUnknown
    }
    package var description: String { message }
}
