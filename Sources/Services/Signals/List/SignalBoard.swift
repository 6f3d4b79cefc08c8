import MeteringModel
import MeteringPorts
import Synchronization

/// The current signals of all customers, in memory: they follow from the ledger, so a restart
/// computes them anew, under the same ids.
final class SignalBoard: Sendable {
    private struct State {
        var byCustomer: [CustomerID: [Signal]] = [:]
        var byID: [String: Signal] = [:]
        /// Largest score first; nil after a change.
        var sorted: [Signal]?
        var work: [String: SignalWork] = [:]
        var droppedCount: Int64 = 0
    }
    private let state = Mutex<State>(State())
    private let countMax: Int

    init(countMax: Int) { self.countMax = countMax }

    /// Puts a customer's signals in the place of those before; what was there already keeps its
    /// `since`.
    func replace(_ customer: CustomerID, _ signals: [Signal]) {
        state.withLock { state in
            let before = state.byCustomer[customer] ?? []
            if before.isEmpty, signals.isEmpty { return }
            let since = Dictionary(before.map { ($0.id, $0.since) }) { first, _ in first }
            for signal in before { state.byID[signal.id] = nil }
            let kept = signals.map { signal in
                var signal = signal
                signal.since = min(signal.since, since[signal.id] ?? signal.since)
                return signal
            }
            for signal in kept { state.byID[signal.id] = signal }
            state.byCustomer[customer] = kept.isEmpty ? nil : kept
            state.sorted = nil
            if state.byID.count > countMax { Self.shrink(&state, to: countMax) }
        }
    }

    /// Lets the least go, a tenth at a time so that it does not happen at every change.
    private static func shrink(_ state: inout State, to countMax: Int) {
        let all = state.byID.values.sorted(by: precedes)
        let kept = all.prefix(countMax - countMax / 10)
        state.droppedCount += Int64(all.count - kept.count)
        state.byID = Dictionary(uniqueKeysWithValues: kept.map { ($0.id, $0) })
        state.byCustomer = Dictionary(grouping: kept, by: \.customer)
    }

    func setWork(_ work: SignalWork, of id: String) {
        state.withLock { $0.work[id] = work }
    }

    func setAllWork(_ work: [String: SignalWork]) { state.withLock { $0.work = work } }

    func work(of id: String) -> SignalWork { state.withLock { $0.work[id] ?? SignalWork() } }

    func signal(_ id: String) -> Signal? { state.withLock { $0.byID[id] } }

    var customers: [CustomerID] { state.withLock { Array($0.byCustomer.keys) } }

    var count: Int { state.withLock { $0.byID.count } }

    /// Those of customers that are wanted.
    func count(where isWanted: (CustomerID) -> Bool) -> Int {
        let sizes = state.withLock { $0.byCustomer.mapValues(\.count) }
        return sizes.reduce(0) { $0 + (isWanted($1.key) ? $1.value : 0) }
    }

    /// Signals that did not fit.
    var droppedCount: Int64 { state.withLock { $0.droppedCount } }

    /// Largest score first, then by id, from behind a cursor.
    func page(
        _ query: SignalQuery, now: Timestamp, isVisible: (CustomerID) -> Bool
    ) throws(ControlProblem) -> (items: [(Signal, SignalWork)], next: String?) {
        let after = try query.cursor.map { text throws(ControlProblem) in try Cursor(text) }
        let (sorted, work) = state.withLock { state in
            let sorted = state.sorted ?? state.byID.values.sorted(by: Self.precedes)
            state.sorted = sorted
            return (sorted, state.work)
        }
        var items: [(Signal, SignalWork)] = []
        for signal in sorted {
            if let after, !after.isBefore(signal) { continue }
            let own = work[signal.id] ?? SignalWork()
            guard Self.matches(signal, own, query, now), isVisible(signal.customer) else {
                continue
            }
            items.append((signal, own))
            if items.count > query.limit { break }
        }
        let next = items.count > query.limit ? Cursor(items[query.limit - 1].0).text : nil
        return (Array(items.prefix(query.limit)), next)
    }

    private static func matches(
        _ signal: Signal, _ work: SignalWork, _ query: SignalQuery, _ now: Timestamp
    ) -> Bool {
        if let kind = query.kind, signal.kind != kind { return false }
        if let customer = query.customer, signal.customer != customer { return false }
        if let plan = query.plan, signal.plan != plan { return false }
        if let owner = query.owner, (work.owner ?? signal.context.owner) != owner { return false }
        if signal.severity < query.severityMin { return false }
        return query.state == .all || work.state(of: signal, at: now) == "open"
    }

    private static func precedes(_ left: Signal, _ right: Signal) -> Bool {
        if left.score != right.score { return left.score > right.score }
        return left.id.utf8.lexicographicallyPrecedes(right.id.utf8)
    }

    private struct Cursor {
        var score: Int
        var id: String

        init(_ signal: Signal) {
            score = signal.score
            id = signal.id
        }

        init(_ text: String) throws(ControlProblem) {
            let parts = text.split(separator: ".", maxSplits: 1)
            guard parts.count == 2, let score = Int(parts[0]), (0...100).contains(score) else {
                throw ControlProblem(
                    .invalid, "invalid_cursor", "cursor must be the \"next\" of a page before",
                    field: "cursor")
            }
            self.score = score
            id = String(parts[1])
        }

        var text: String { "\(score).\(id)" }

        func isBefore(_ signal: Signal) -> Bool {
            if signal.score != score { return signal.score < score }
            return id.utf8.lexicographicallyPrecedes(signal.id.utf8)
        }
    }
}
