import Alerting
import Foundation
import MeteringModel
import MeteringPorts
import Synchronization

/// A directory for one test, removed with everything in it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/tollgate-alerts-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}

let start = Timestamp(seconds: 1_800_000_000)

/// Time that a test moves.
final class TestClock: Sendable {
    private let instant = Mutex(start)
    var now: Timestamp { instant.withLock { $0 } }
    var clock: WallClock { WallClock { self.now } }
    func move(to other: Timestamp) { instant.withLock { $0 = max($0, other) } }
    func advance(seconds: Int64) { instant.withLock { $0 = $0.adding(seconds: seconds) } }
}

/// Seals by turning bits over, so that a secret in the clear would be seen; signs truly.
final class FakeVault: AlertVault {
    private let count = Mutex<UInt64>(0)

    func randomBytes(_ count: Int) -> [UInt8] {
        let seed = self.count.withLock {
            $0 += 1
            return $0
        }
        var numbers = SeededNumbers(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &numbers) }
    }

    func authenticationCode(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        Digest256.authenticationCode(key: key, message)
    }

    func fingerprint(_ text: [UInt8]) -> [UInt8] { Digest256.hash(text) }

    func seal(_ plain: [UInt8], context: String) -> [UInt8]? {
        Array(Digest256.hash(Array(context.utf8)).prefix(8)) + plain.map { ~$0 }
    }

    func open(_ sealed: [UInt8], context: String) -> [UInt8]? {
        guard sealed.prefix(8).elementsEqual(Digest256.hash(Array(context.utf8)).prefix(8)) else {
            return nil
        }
        return sealed.dropFirst(8).map { ~$0 }
    }
}

/// The control plane's log, as far as endpoints need it.
final class MemoryRecords: RecordKeeping {
    private struct State {
        var histories: [String: RecordHistory] = [:]
        var sequence: Int64 = 0
        var answers: [String: ControlAnswer] = [:]
        var actions: [(id: String, document: JSONValue?)] = []
    }
    private let state = Mutex(State())

    /// Every document that was ever written, as text: what an audit log would show.
    var writtenText: String {
        state.withLock {
            $0.actions.map { $0.document?.canonicalText ?? "null" }.joined(separator: "\n")
        }
    }

    func change(
        _ kind: RecordKind, _ id: String, customer: CustomerID?, _ context: CommandContext,
        digest: String,
        _ body:
            @escaping @Sendable (JSONValue?) throws(ControlProblem) -> (
                document: JSONValue?, answer: ControlAnswer
            )
    ) async throws(ControlProblem) -> ControlAnswer {
        if let key = context.idempotencyKey, let known = state.withLock({ $0.answers[key] }) {
            return known
        }
        let before = state.withLock { $0.histories[id]?.latest }
        let result = try body(before)
        if context.isDryRun { return result.answer }
        state.withLock { state in
            state.sequence += 1
            // A patch that replaces the whole document.
            var patch = result.document ?? .null
            if case .object(var members) = patch {
                for name in (before?.object ?? [:]).keys where members[name] == nil {
                    members[name] = .null
                }
                patch = .object(members)
            }
            let history =
                state.histories[id] ?? RecordHistory(kind: kind, id: id, customer: nil)
            let entry = RecordHistory.Entry(
                sequence: state.sequence, effectiveAt: Timestamp(seconds: state.sequence),
                patch: patch)
            state.histories[id] = RecordHistory(
                kind: kind, id: id, customer: nil, entries: history.entries + [entry],
                revision: state.sequence)
            if let key = context.idempotencyKey { state.answers[key] = result.answer }
            state.actions.append((id, result.document))
        }
        return result.answer
    }

    func history(_ kind: RecordKind, _ id: String) throws(ControlProblem) -> RecordHistory? {
        state.withLock { $0.histories[id] }
    }

    func records(
        _ kind: RecordKind, customer: CustomerID?
    ) throws(ControlProblem) -> [RecordHistory] {
        state.withLock { $0.histories.values.filter { $0.latest != nil } }
    }
}

/// The ledger's feed of changes, in memory.
final class MemoryFeed: Sendable {
    private let changes = Mutex<[CrossingChange]>([])
    private let generation = Mutex(0)

    func append(
        _ kind: CrossingChange.Kind, ordinal: Int = 1, at: Timestamp, _ crossing: Crossing
    ) {
        changes.withLock { changes in
            let sequence = Int64(changes.count + 1)
            changes.append(
                CrossingChange(
                    sequence: sequence, kind: kind, ordinal: ordinal, at: at,
                    crossing: StoredCrossing(sequence: sequence, crossing: crossing)))
        }
    }

    func replaceAll(_ other: [CrossingChange]) {
        changes.withLock { $0 = other }
        generation.withLock { $0 += 1 }
    }

    /// As the process that starts now sees it.
    var feed: CrossingFeed {
        CrossingFeed(
            incarnation: String(generation.withLock { $0 }),
            page: { self.page(after: $0, limit: $1) })
    }
    var all: [CrossingChange] { changes.withLock { $0 } }

    func page(after sequence: Int64, limit: Int) -> [CrossingChange] {
        changes.withLock { Array($0.filter { $0.sequence > sequence }.prefix(limit)) }
    }
}

func crossing(
    _ customer: String, feature: String = "tokens", basisPoints: Int64 = 8_000,
    limit: Int64 = 1_000, at: Timestamp = start, period: Int64 = 0
) -> Crossing {
    let begin = Timestamp(seconds: 1_799_000_000 + period * 86_400)
    return Crossing(
        customer: CustomerID(customer), feature: FeatureKey(feature), meter: "tokens",
        period: Period(start: begin, end: begin.adding(seconds: 86_400)),
        threshold: .share(basisPoints: basisPoints), limit: .finite(limit), usedBefore: 700,
        usedAfter: 850, scale: 0, source: "plan pro v1", crossedAt: at)
}
