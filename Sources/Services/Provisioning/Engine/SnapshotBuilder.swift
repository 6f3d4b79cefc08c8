import Entitlements
import MeteringModel
import MeteringPorts

/// Makes snapshots out of records.
enum SnapshotBuilder {
    struct Built {
        var snapshot: CatalogSnapshot
        var definitions: Catalog
        var revision: Int64
        /// Customers who do not compile, and why.
        var leftOut: [CustomerID: ControlProblem] = [:]
    }

    struct Update {
        var snapshot: CatalogSnapshot
        /// Numbers of customers that have something else than before.
        var changed: [Int]
        var definitionsChanged: Bool
        /// Of all customers, when all were compiled: those who could not be, as before.
        var leftOut: Set<CustomerID>?
    }

    /// The contracts of some customers; nil for those of whom nothing is left.
    typealias Contracts = [CustomerID: CustomerContract?]
    typealias Zones = @Sendable (String) -> TimeZoneRules?

    // MARK: reading

    static func reader(_ definitions: Catalog) -> ContractReader {
        ContractReader(scales: CodecContext.scales(definitions.meters, definitions.features))
    }

    /// What a draft makes of the customers that it touches.
    static func contracts(
        of customers: Set<CustomerID>, in draft: ControlDraft
    ) throws(ControlProblem) -> Contracts {
        let reader = reader(draft.definitions)
        var contracts: Contracts = [:]
        for customer in customers {
            let histories = try draft.records(ofCustomer: customer)
            contracts[customer] = .some(try contract(of: customer, histories, reader))
        }
        return contracts
    }

    static func contract(
        of customer: CustomerID, _ histories: [RecordHistory], _ reader: ContractReader
    ) throws(ControlProblem) -> CustomerContract? {
        let kept = histories.filter { !$0.entries.isEmpty }
        if kept.isEmpty { return nil }
        let contract: CustomerContract
        do {
            contract = try reader.contract(of: customer, kept)
        } catch {
            throw .field(error)
        }
        if contract.profile.steps.isEmpty {
            throw .unknown(.customer, customer.rawValue, field: "customer", known: [])
        }
        return contract
    }

    /// The definitions that a store holds.
    static func definitions(of store: any ControlStore) throws(ControlProblem) -> Catalog {
        var histories: [RecordHistory] = []
        for kind in RecordKind.allCases where kind.isCatalog {
            var last: String?
            while true {
                let page: [RecordHistory]
                do throws(ControlStoreError) {
                    page = try store.records(kind, customer: nil, after: last, limit: 1_000)
                } catch {
                    throw .store(error)
                }
                histories += page
                last = page.last?.id
                if page.count < 1_000 { break }
            }
        }
        do {
            return try RecordCodec.catalog(of: histories)
        } catch {
            throw .field(error)
        }
    }

    // MARK: compiling

    /// The snapshot of all that a store holds. Customers who do not compile are left out: nobody
    /// else must go without enforcement for them.
    static func build(
        _ store: any ControlStore, hash: KeyHash, zone: @escaping Zones
    ) throws(ControlProblem) -> Built {
        // Read first: what another process commits meanwhile is taken in again later, at no harm.
        let revision = store.revision
        let definitions = try definitions(of: store)
        let empty = try compiled(
            CatalogSnapshot.compile(
                definitions, contracts: [], revision: revision, hash: hash, zone: zone),
            definitions)
        var loader = SnapshotLoader(empty, definitions, revision: revision) { _ in true }
        try loader.load(from: store, replacing: [:])
        return Built(
            snapshot: loader.snapshot, definitions: definitions, revision: revision,
            leftOut: loader.leftOut)
    }

    /// The snapshot after a change of definitions: everything is compiled anew, with the same
    /// numbers. `contracts` take the place of what the store has; of the others, those in `leftOut`
    /// need not compile.
    static func rebuild(
        _ old: CatalogSnapshot, _ contracts: Contracts, definitions: Catalog, revision: Int64,
        leftOut: Set<CustomerID>, store: any ControlStore, zone: @escaping Zones
    ) throws(ControlProblem) -> Update {
        let empty = try compiled(
            CatalogSnapshot.compile(
                definitions, contracts: [], revision: revision, hash: old.hash, keeping: old,
                zone: zone),
            definitions)
        let mayLack = leftOut.subtracting(contracts.keys)
        var loader = SnapshotLoader(empty, definitions, revision: revision) {
            mayLack.contains($0)
        }
        try loader.load(from: store, replacing: contracts)
        let snapshot = loader.snapshot
        return Update(
            snapshot: snapshot, changed: snapshot.customersChanged(since: old),
            definitionsChanged: true, leftOut: Set(loader.leftOut.keys))
    }

    /// The snapshot after changes of some customers.
    static func update(
        _ old: CatalogSnapshot, _ contracts: Contracts, definitions: Catalog, revision: Int64
    ) throws(ControlProblem) -> Update {
        let present = contracts.values.compactMap { $0 }.sorted { $0.id < $1.id }
        let removed = contracts.filter { $0.value == nil }.map(\.key).sorted()
        let update = try compiled(
            old.updating(present, removing: removed, revision: revision), definitions)
        return Update(
            snapshot: update.snapshot, changed: update.changed, definitionsChanged: false)
    }

    static func compiled<Value>(
        _ result: Result<Value, CatalogIssues>, _ definitions: Catalog
    ) throws(ControlProblem) -> Value {
        switch result {
        case .success(let value): return value
        case .failure(let issues): throw .issues(issues, in: definitions)
        }
    }
}
