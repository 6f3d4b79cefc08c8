import Entitlements
import Foundation
import MeteringModel
import MeteringPorts
import Synchronization
import YAMLCatalog

@testable import Billing

/// The control plane's records in memory: contracts that change and are undone, with their log.
final class ContractBook: Sendable {
    private struct State {
        var changes: [ControlChange] = []
        var histories: [RecordHistory] = []
    }
    private let state = Mutex(State())
    let catalog: Catalog
    let current: CurrentCatalog

    static let hash = KeyHash(k0: 1, k1: 2)

    struct BadCatalog: Error, CustomStringConvertible { var description: String }

    init(_ catalog: Catalog) throws {
        self.catalog = catalog
        let made = CatalogSnapshot.compile(
            catalog, contracts: [], revision: 0, hash: Self.hash, zone: { Zones.rules($0) })
        guard case .success(let snapshot) = made else {
            throw BadCatalog(description: "\(made)")
        }
        current = CurrentCatalog(snapshot)
        let context = CodecContext(catalog: catalog)
        for addOn in catalog.addOns {
            try change(
                .addOn, addOn.key.rawValue, nil, RecordCodec.encode(addOn, context),
                request: "catalog", at: .distantPast, publishes: false)
        }
    }

    var source: ContractSource {
        ContractSource(
            contract: { customer in
                self.state.withLock { state in
                    state.histories.filter { $0.customer == customer }
                }
            },
            record: { kind, id in
                self.state.withLock { state in
                    state.histories.first { $0.kind == kind && $0.id == id }
                }
            },
            changes: { sequence, limit in
                self.state.withLock { state in
                    Array(state.changes.filter { $0.sequence > sequence }.prefix(limit))
                }
            })
    }

    /// Makes or changes a record and puts it in force.
    /// - Parameter from: nil: a record that is made.
    func change(
        _ kind: RecordKind, _ id: String, _ customer: CustomerID?, _ patch: JSONValue,
        from: Timestamp? = nil, request: String, at: Timestamp, publishes: Bool = true
    ) throws {
        state.withLock { state in
            let known = state.histories.firstIndex { $0.kind == kind && $0.id == id }
            var history =
                known.map { state.histories[$0] }
                ?? RecordHistory(kind: kind, id: id, customer: customer)
            let effectiveAt = from ?? .distantPast
            let before = history.document(at: effectiveAt)
            var change = ControlChange(
                sequence: Int64(state.changes.count + 1), at: at, actor: "test", source: "api",
                effectiveAt: effectiveAt, requestID: request,
                action: known == nil ? .create : .update, kind: kind, id: id, customer: customer,
                patch: patch, before: before)
            history.apply(change)
            change.after = history.document(at: effectiveAt)
            state.changes.append(change)
            if let known {
                state.histories[known] = history
            } else {
                state.histories.append(history)
            }
        }
        if publishes { try publish() }
    }

    func undo(_ request: String, at: Timestamp) throws {
        state.withLock { state in
            for original in state.changes.filter({ $0.requestID == request }).reversed() {
                let place = state.histories.firstIndex {
                    $0.kind == original.kind && $0.id == original.id
                }
                guard let place else { continue }
                let undoing = ControlChange(
                    sequence: Int64(state.changes.count + 1), at: at, actor: "test",
                    source: "api", effectiveAt: original.shownEffectiveAt,
                    requestID: "undo-" + request, action: .undo, kind: original.kind,
                    id: original.id, customer: original.customer, patch: .null,
                    before: original.after, after: original.before, undoes: original.sequence)
                state.histories[place].apply(undoing)
                state.changes.append(undoing)
            }
        }
        try publish()
    }

    /// Several changes, compiled once.
    func publish() throws {
        let (histories, revision) = state.withLock { ($0.histories, Int64($0.changes.count)) }
        let scales = CodecContext.scales(catalog.meters, catalog.features)
        let reader = ContractReader(scales: scales)
        let byCustomer = Dictionary(
            grouping: histories.filter { $0.customer != nil }, by: { $0.customer })
        let contracts = try byCustomer.compactMap { customer, records in
            try customer.map { try reader.contract(of: $0, records) }
        }.sorted { $0.id < $1.id }
        let made = CatalogSnapshot.compile(
            catalog, contracts: contracts, revision: revision, hash: Self.hash,
            keeping: current.load(), zone: { Zones.rules($0) })
        guard case .success(let snapshot) = made else {
            throw BadCatalog(description: "\(made)")
        }
        current.replace(snapshot)
    }
}

enum Zones {
    static func rules(_ name: String) -> TimeZoneRules? { try? ZoneFiles.load(name) }
}

/// Time as a test sets it.
final class TestClock: Sendable {
    private let micros: Atomic<Int64>
    init(_ text: String) { micros = Atomic(at(text).microseconds) }
    var now: Timestamp { Timestamp(microseconds: micros.load(ordering: .relaxed)) }
    func set(_ text: String) { micros.store(at(text).microseconds, ordering: .relaxed) }
    var wall: WallClock { WallClock { self.now } }
}

/// An instant as tests write it.
func at(_ text: String) -> Timestamp {
    guard let instant = Timestamp(rfc3339: text) else {
        preconditionFailure("\(text) is no time")
    }
    return instant
}

func json(_ text: String) throws -> JSONValue { try JSONParser.parse(text) }

func month(_ text: String) -> BillingMonth {
    guard let month = BillingMonth(text) else { preconditionFailure("\(text) is no month") }
    return month
}

func decimal(_ text: String) -> ExactDecimal {
    guard let decimal = ExactDecimal(text) else { preconditionFailure("\(text) is no decimal") }
    return decimal
}

extension Currency {
    static let eur = named("EUR")
    static let usd = named("USD")
    private static func named(_ code: String) -> Currency {
        guard let currency = Currency(code) else { preconditionFailure("\(code) is no currency") }
        return currency
    }
}
