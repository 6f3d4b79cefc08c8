import MeteringModel
import MeteringPorts
import SQLAlerts
import Synchronization

/// A store whose process is killed at its n-th writing call: that call takes effect, or not, and
/// none after it does.
final class KilledStore: AlertStore {
    private let store: SQLAlerts
    private let losesLast: Bool
    private let left: Mutex<Int>

    /// - Parameter losesLast: whether the last call is lost; else it is done, but nobody hears so.
    init(_ store: SQLAlerts, after count: Int, losesLast: Bool) {
        self.store = store
        self.losesLast = losesLast
        left = Mutex(count)
    }

    var wasKilled: Bool { left.withLock { $0 <= 0 } }

    private static let killed = LedgerError(code: .unavailable, message: "killed")

    private func write<Result>(
        _ body: () throws(LedgerError) -> Result
    ) throws(LedgerError) -> Result {
        let rest = left.withLock { left in
            left -= 1
            return left
        }
        if rest < 0 || rest == 0 && losesLast { throw Self.killed }
        let result = try body()
        if rest == 0 { throw Self.killed }
        return result
    }

    private func read<Result>(
        _ body: () throws(LedgerError) -> Result
    ) throws(LedgerError) -> Result {
        if wasKilled { throw Self.killed }
        return try body()
    }

    func take(_ batch: AlertBatch) throws(LedgerError) {
        try write { () throws(LedgerError) in try store.take(batch) }
    }
    func settle(at now: Timestamp, limit: Int) throws(LedgerError) -> Int {
        try write { () throws(LedgerError) in try store.settle(at: now, limit: limit) }
    }
    func bind(
        _ endpoint: String, _ sequences: [Int64], carrier: String
    ) throws(LedgerError) {
        try write { () throws(LedgerError) in
            try store.bind(endpoint, sequences, carrier: carrier)
        }
    }
    func record(_ outcomes: [AttemptOutcome]) throws(LedgerError) {
        try write { () throws(LedgerError) in try store.record(outcomes) }
    }
    func cancel(_ endpoint: String, at: Timestamp) throws(LedgerError) {
        try write { () throws(LedgerError) in try store.cancel(endpoint, at: at) }
    }
    func setState(_ endpoint: String, _ state: EndpointState) throws(LedgerError) {
        try write { () throws(LedgerError) in try store.setState(endpoint, state) }
    }
    func addSecret(
        _ endpoint: String, _ secret: SealedSecret, othersUntil until: Timestamp
    ) throws(LedgerError) {
        try write { () throws(LedgerError) in
            try store.addSecret(endpoint, secret, othersUntil: until)
        }
    }
    func putSealedAddress(_ reference: String, _ sealed: [UInt8]) throws(LedgerError) {
        try write { () throws(LedgerError) in try store.putSealedAddress(reference, sealed) }
    }
    func requeue(
        _ endpoint: String, _ messages: [String], asked: Timestamp, at: Timestamp
    ) throws(LedgerError) -> Int {
        try write { () throws(LedgerError) in
            try store.requeue(endpoint, messages, asked: asked, at: at)
        }
    }
    func prune(before instant: Timestamp) throws(LedgerError) {
        try write { () throws(LedgerError) in try store.prune(before: instant) }
    }

    func cursor(of feed: String) throws(LedgerError) -> FeedCursor? {
        try read { () throws(LedgerError) in try store.cursor(of: feed) }
    }
    func nextSettling() throws(LedgerError) -> Timestamp? {
        try read { () throws(LedgerError) in try store.nextSettling() }
    }
    func lines() throws(LedgerError) -> [EndpointLine] {
        try read { () throws(LedgerError) in try store.lines() }
    }
    func waiting(_ endpoint: String, limit: Int) throws(LedgerError) -> [AlertDelivery] {
        try read { () throws(LedgerError) in try store.waiting(endpoint, limit: limit) }
    }
    func state(of endpoint: String) throws(LedgerError) -> EndpointState {
        try read { () throws(LedgerError) in try store.state(of: endpoint) }
    }
    func secrets(of endpoint: String) throws(LedgerError) -> [SealedSecret] {
        try read { () throws(LedgerError) in try store.secrets(of: endpoint) }
    }
    func sealedAddress(_ reference: String) throws(LedgerError) -> [UInt8]? {
        try read { () throws(LedgerError) in try store.sealedAddress(reference) }
    }
    func deliveries(
        _ endpoint: String, state: AlertDelivery.State?, before sequence: Int64?, limit: Int
    ) throws(LedgerError) -> [AlertDelivery] {
        try read { () throws(LedgerError) in
            try store.deliveries(endpoint, state: state, before: sequence, limit: limit)
        }
    }
    func delivery(
        _ endpoint: String, message: String
    ) throws(LedgerError) -> AlertDelivery? {
        try read { () throws(LedgerError) in try store.delivery(endpoint, message: message) }
    }
    func attempts(
        _ endpoint: String, message: String, limit: Int
    ) throws(LedgerError) -> [AlertAttempt] {
        try read { () throws(LedgerError) in
            try store.attempts(endpoint, message: message, limit: limit)
        }
    }
    func message(_ id: String) throws(LedgerError) -> AlertMessage? {
        try read { () throws(LedgerError) in try store.message(id) }
    }
    func messages(
        from: Timestamp, to: Timestamp, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [AlertMessage] {
        try read { () throws(LedgerError) in
            try store.messages(from: from, to: to, after: sequence, limit: limit)
        }
    }
    func statistics() throws(LedgerError) -> AlertStatistics {
        try read { () throws(LedgerError) in try store.statistics() }
    }
}
