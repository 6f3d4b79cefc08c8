import Entitlements
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog
import Testing

@Suite("Random commands, undone and made again")
struct UndoPropertyTests {
    @Test(arguments: 1...8)
    func everyUndoGivesTheStateBefore(_ seed: UInt64) async throws {
        var plane = try await Harness.open()
        try await plane.makeCatalog()
        var random = RandomCommands(seed: seed)
        var states = [Fingerprint(plane)]
        var requests: [String] = []
        for _ in 0..<70 {
            plane.advance(seconds: random.below(7_200))
            let (operation, body, instant) = random.next(now: plane.now)
            guard let answer = await Self.attempt(plane, operation, body, instant) else { continue }
            guard let request = answer.body["change"]?["request_id"]?.text,
                answer.body["change"]?["changed"]?.integer != 0, !requests.contains(request)
            else { continue }
            requests.append(request)
            states.append(Fingerprint(plane))
        }
        #expect(requests.count > 8, "seed \(seed) makes too few changes")
        try await Self.expectReplay(plane, seed)

        var undoing: [String] = []
        for (place, request) in requests.enumerated().reversed() {
            plane.advance(seconds: 60)
            let answer = try await plane.perform(.undo(request))
            undoing.append(try #require(answer.body["change"]?["request_id"]?.text))
            try #require(
                Fingerprint(plane) == states[place], "seed \(seed), undoing \(request)")
        }
        // A restart compiles the same from the store.
        plane = try await plane.reopened()
        #expect(Fingerprint(plane) == states[0])
        for (place, request) in undoing.reversed().enumerated() {
            try await plane.perform(.undo(request))
            try #require(
                Fingerprint(plane) == states[place + 1], "seed \(seed), redoing \(place)")
        }
        try await Self.expectReplay(plane, seed)
    }

    private static func attempt(
        _ plane: Harness, _ operation: ControlCommand.Operation, _ body: String, _ instant: String?
    ) async -> ControlAnswer? {
        do {
            return try await plane.perform(operation, body, at: instant)
        } catch is ControlProblem {
            return nil
        } catch {
            Issue.record("\(error)")
            return nil
        }
    }

    /// The records that the log alone makes are those of the store, and so are the entitlements.
    private static func expectReplay(_ plane: Harness, _ seed: UInt64) async throws {
        var replayed: [RecordReference: RecordHistory] = [:]
        var after: Int64 = 0
        while true {
            let rows = try plane.store.changes(AuditFilter(), after: after, limit: 50)
            for row in rows {
                let change = row.change
                let reference = RecordReference(change.kind, change.id)
                var history =
                    replayed[reference]
                    ?? RecordHistory(kind: change.kind, id: change.id, customer: change.customer)
                // What the row says was and is, is what the fold says.
                #expect(history.document(at: change.effectiveAt) == change.before)
                history.apply(change)
                #expect(history.document(at: change.effectiveAt) == change.after)
                replayed[reference] = history
            }
            guard let last = rows.last else { break }
            after = last.change.sequence
        }
        var contracts: [CustomerID: [RecordHistory]] = [:]
        for (reference, history) in replayed {
            #expect(try plane.store.record(reference.kind, reference.id) == history)
            guard !reference.kind.isCatalog, reference.kind != .seat else { continue }
            guard let customer = history.customer, !history.entries.isEmpty else { continue }
            contracts[customer, default: []].append(history)
        }
        let catalog = try RecordCodec.catalog(of: replayed.values)
        let reader = ContractReader(
            scales: CodecContext.scales(catalog.meters, catalog.features))
        let compiled = CatalogSnapshot.compile(
            catalog, contracts: try contracts.map { try reader.contract(of: $0.key, $0.value) },
            revision: after, hash: KeyHash(k0: 9, k1: 9), zone: Harness.zone)
        #expect(Fingerprint(try compiled.get()) == Fingerprint(plane), "seed \(seed)")
        guard case .intact = try plane.store.verifyChain() else {
            Issue.record("the chain is broken")
            return
        }
    }
}

/// Everything that customers have, at instants before, around and after the commands.
struct Fingerprint: Equatable, CustomStringConvertible {
    private var lines: [String] = []

    init(_ plane: Harness) { self.init(plane.snapshot) }

    init(_ snapshot: CatalogSnapshot) {
        for customer in RandomCommands.customers {
            for feature in ["tokens", "sso", "region", "seats", "live"] {
                for day in stride(from: -30, through: 40, by: 3) {
                    let instant = Harness.start.adding(seconds: Int64(day) * 86_400 + 3_601)
                    let right = Harness.right(
                        snapshot, CustomerID(customer), FeatureKey(feature), at: instant)
                    if right != "nobody" { lines.append("\(customer) \(feature) \(day): \(right)") }
                }
            }
        }
    }

    var description: String { lines.joined(separator: "\n") }
}

/// Commands on a handful of customers, many of which are refused.
struct RandomCommands {
    static let customers = ["a", "b", "c"]
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func below(_ bound: Int64) -> Int64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int64(state >> 33) % bound
    }

    private mutating func any(_ words: [String]) -> String { words[Int(below(Int64(words.count)))] }

    private mutating func instant(_ now: Timestamp) -> String {
        now.adding(seconds: (below(40) - 20) * 86_400 + below(86_400)).wholeSeconds.rfc3339()
    }

    mutating func next(
        now: Timestamp
    ) -> (operation: ControlCommand.Operation, body: String, instant: String?) {
        let customer = any(Self.customers)
        let subscription = "\(customer):suite"
        let when = below(3) == 0 ? nil : instant(now)
        let limit = below(500)
        switch below(17) {
        case 0, 1: return (.create(.customer), #"{"id": "\#(customer)"}"#, nil)
        case 2: return (.create(.customer), #"{"id": "\#(customer)", "parent": "a"}"#, nil)
        case 3, 4, 5:
            return (
                .create(.subscription),
                #"{"customer": "\#(customer)", "plan": "\#(any(["basic", "pro"]))", "start": "\#(instant(now))"}"#,
                nil
            )
        case 6:
            return (
                .patch(.subscription, subscription), #"{"plan": "\#(any(["basic", "pro"]))"}"#, when
            )
        case 7:
            return (.patch(.subscription, subscription), #"{"seats": {"seats": \#(limit)}}"#, when)
        case 8: return (.patch(.subscription, subscription), #"{"add_ons": ["extra"]}"#, when)
        case 9:
            return (
                .patch(.subscription, subscription), #"{"end": "\#(instant(now))"}"#, when
            )
        case 10: return (.delete(.subscription, subscription), "{}", when)
        case 11:
            return (
                .create(.override),
                #"{"customer": "\#(customer)", "feature": "tokens", "value": {"limit": \#(limit)}, "reason": "r", "end": "2026-12-31"}"#,
                when
            )
        case 12:
            return (
                .create(.grant),
                #"{"customer": "\#(customer)", "feature": "tokens", "amount": \#(limit), "reason": "r"}"#,
                when
            )
        case 13: return (.create(.suspension), #"{"customer": "\#(customer)", "reason": "r"}"#, when)
        case 14:
            return (
                .revoke, #"{"customer": "\#(customer)", "product": "suite", "reason": "r"}"#, when
            )
        case 15:
            return (.reinstate, #"{"customer": "\#(customer)", "product": "suite"}"#, when)
        default:
            return (
                .patch(.plan, "basic"), #"{"entitlements": {"tokens": {"limit": \#(limit)}}}"#, nil
            )
        }
    }
}
