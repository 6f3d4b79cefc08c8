import Entitlements
import MeteringModel
import MeteringPorts

/// Makes snapshots out of records.
enum SnapshotBuilder {
    struct Built {
        var snapshot: CatalogSnapshot
        var definitions: Catalog
        var revision: Int64
    }

    struct Update {
        var snapshot: CatalogSnapshot
        var changed: [Int]
        var definitionsChanged: Bool
    }

    /// Contracts compiled at a time while the store is read: what bounds the memory on top of the
    /// snapshot's own.
    private static let chunkSize = 10_000

    /// The snapshot of all that a store holds.
    static func build(
        _ store: any ControlStore, hash: KeyHash,
        zone: @escaping @Sendable (String) -> TimeZoneRules?
    ) throws(ControlProblem) -> Built {
        // Read first: what another process commits meanwhile is taken in again later, at no harm.
        let revision: Int64
        let definitions: Catalog
        do throws(ControlStoreError) {
            revision = store.revision
            definitions = try catalog(of: store).get()
        } catch {
            throw .store(error)
        }
        var snapshot = try compiled(
            CatalogSnapshot.compile(
                definitions, contracts: [], revision: revision, hash: hash, zone: zone))
        var loader = Loader(definitions)
        do throws(ControlStoreError) {
            try store.scanContracts { customer, histories in
                loader.take(customer, histories, chunkSize, &snapshot, revision)
            }
        } catch {
            throw .store(error)
        }
        try loader.finish(&snapshot, revision)
        return Built(snapshot: snapshot, definitions: definitions, revision: revision)
    }

    /// The snapshot after a draft's changes.
    /// - Returns: nil when none of them matters to it.
    static func update(
        _ snapshot: CatalogSnapshot, customers: [CustomerID], draft: ControlDraft,
        definitionsChanged: Bool
    ) throws(ControlProblem) -> Update? {
        if customers.isEmpty, !definitionsChanged { return nil }
        let scales = CodecContext.scales(draft.definitions.meters, draft.definitions.features)
        let reader = ContractReader(scales: scales)
        var contracts: [CustomerContract] = []
        var removed: [CustomerID] = []
        for customer in customers {
            let histories = try draft.records(ofCustomer: customer)
            let contract = try contract(customer, histories, reader)
            if !contract.profile.steps.isEmpty {
                contracts.append(contract)
            } else if histories.allSatisfy({ $0.entries.isEmpty }) {
                removed.append(customer)
            } else {
                throw .unknown(.customer, customer.rawValue, field: "customer", known: [])
            }
        }
        let revision = draft.base + Int64(draft.changes.count)
        let result =
            definitionsChanged
            ? snapshot.updating(
                definitions: draft.definitions, contracts, removing: removed, revision: revision)
            : snapshot.updating(contracts, removing: removed, revision: revision)
        let update = try compiled(result)
        return Update(
            snapshot: update.snapshot, changed: update.changed,
            definitionsChanged: update.snapshot.definitions !== snapshot.definitions)
    }

    /// The definitions that a store holds.
    static func catalog(
        of store: any ControlStore
    ) throws(ControlStoreError) -> Result<Catalog, ControlProblem> {
        var histories: [RecordHistory] = []
        for kind in RecordKind.allCases where kind.isCatalog {
            while true {
                let last = histories.last.flatMap { $0.kind == kind ? $0.id : nil }
                let page = try store.records(kind, customer: nil, after: last, limit: 1_000)
                histories += page
                if page.count < 1_000 { break }
            }
        }
        do {
            return .success(try RecordCodec.catalog(of: histories))
        } catch {
            return .failure(.field(error))
        }
    }
}
