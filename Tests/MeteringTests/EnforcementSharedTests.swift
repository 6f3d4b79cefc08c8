import Enforcement
import Entitlements
import Logging
import MeteringModel
import MeteringPorts
import Synchronization
import Testing

/// Trees with a shared store: it grants level by level, and gets back what a refusal left over.
@Suite struct EnforcementSharedTests {
    typealias Scene = EnforcementScene

    /// A gate of its own on the scene's board and a store.
    private func gate(_ scene: EnforcementScene, _ store: MemoryStore) -> QuotaGate {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let shared = SharedCounterSync(store: store, clock: scene.clock.wall, logger: logger)
        shared.rebuild(positions: []) { [] }
        return QuotaGate(
            board: scene.board, book: IdempotencyBook(), writer: scene.log,
            queries: scene.ledger, shared: shared, clock: scene.clock.wall, instance: "s",
            logger: logger, completeTo: { nil })
    }

    private func scene(grace: Grace? = nil) throws -> EnforcementScene {
        try Scene(
            [
                Scene.contract("org", plan: "org"),
                Scene.contract("a", plan: "team", parent: "org"),
                Scene.contract("b", plan: "team", parent: "org"),
            ],
            plans: [
                Scene.plan("org", calls: .finite(10), grace: grace),
                Scene.plan("team", calls: .finite(8)),
            ], at: "2026-11-21T10:00:00Z")
    }

    @Test func everyLevelIsGrantedOrNone() async throws {
        let scene = try scene()
        let store = MemoryStore()
        let gate = gate(scene, store)
        #expect(try await gate.consume(scene.question("a", 6)).isAllowed)
        let refused = try await gate.consume(scene.question("b", 5))
        #expect(!refused.isAllowed && refused.limitingCustomer == "org")
        #expect(store.granted == ["a": 6, "org": 6])
        #expect(try await gate.consume(scene.question("b", 4)).isAllowed)
        #expect(store.granted == ["a": 6, "b": 4, "org": 10])
        #expect(store.roots == ["org"])
    }

    @Test func aLogThatRefusesGivesBackToTheStore() async throws {
        let scene = try scene(grace: Grace(units: 2))
        let store = MemoryStore()
        let gate = gate(scene, store)
        scene.log.refuse(true)
        await #expect(throws: GateError.self) { try await gate.consume(scene.question("a", 6)) }
        #expect(store.granted.isEmpty)
        scene.log.refuse(false)
        let held = try await gate.reserve(
            scene.question("a", 6, id: "h"), timeToLiveSeconds: 60)
        let id = try #require(held.reservation?.id)
        _ = try await gate.commitReservation(id, actual: DecimalQuantity(mantissa: 5))
        #expect(store.granted == ["a": 5, "org": 5])
        // The store is asked for the stop, not for the limit: 10 and 2 of grace.
        #expect(try await gate.consume(scene.question("b", 7)).reason == .overage)
        #expect(try await !gate.consume(scene.question("b", 1)).isAllowed)
        #expect(store.granted == ["a": 5, "b": 7, "org": 12])
    }
}

/// Counters of a shared store, in memory.
final class MemoryStore: SharedCounters {
    private let counts = Mutex<[SharedCounterKey: Int64]>([:])

    var granted: [String: Int64] {
        counts.withLock { counts in
            counts.filter { $0.value != 0 }.reduce(into: [:]) {
                $0[$1.key.customer.rawValue, default: 0] += $1.value
            }
        }
    }
    var roots: Set<String> { counts.withLock { Set($0.keys.map(\.root.rawValue)) } }

    func apply(_ batch: CounterBatch) async throws(SharedCounterError) -> CounterApplyResult {
        CounterApplyResult(staleShards: [], fencedShards: [])
    }
    func admit(
        _ requests: [CounterAdmission]
    ) async throws(SharedCounterError) -> [CounterAdmissionResult] {
        requests.map { request in
            counts.withLock { counts in
                let committed = counts[request.key] ?? 0
                if let limit = request.hardLimit, committed + request.quantity > limit {
                    return CounterAdmissionResult(verdict: .exhausted, committed: committed)
                }
                counts[request.key] = committed + request.quantity
                return CounterAdmissionResult(
                    verdict: .admitted, committed: committed + request.quantity)
            }
        }
    }
    func giveBack(_ requests: [CounterAdmission]) async throws(SharedCounterError) {
        counts.withLock { counts in
            for request in requests { counts[request.key, default: 0] -= request.quantity }
        }
    }
    func rebuild(
        shard: Int, counters: [SharedCounter], watermarks: [Int32: Int64]
    ) async throws(SharedCounterError) {}
    func read(_ keys: [SharedCounterKey]) async throws(SharedCounterError) -> [SharedCounter?] {
        keys.map { _ in nil }
    }
    func watermarks(shard: Int) async throws(SharedCounterError) -> [Int32: Int64] { [0: 0] }
    func shard(of root: CustomerID) -> Int { 0 }
    var shardCount: Int { 1 }
    var isReachable: Bool { true }
    func close() async {}
}
