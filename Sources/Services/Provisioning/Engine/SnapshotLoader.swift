import Entitlements
import MeteringModel
import MeteringPorts

/// Compiles all contracts of a store, a chunk at a time, so that only a chunk of them is in memory
/// beside what they are compiled to.
struct SnapshotLoader {
    private static let chunkSize = 5_000

    private(set) var snapshot: CatalogSnapshot
    private let definitions: Catalog
    private let reader: ContractReader
    private let revision: Int64
    private var chunk: [CustomerContract] = []
    /// Children wait for their parents.
    private var waiting: [CustomerContract] = []
    private var problem: ControlProblem?

    init(_ empty: CatalogSnapshot, _ definitions: Catalog, revision: Int64) {
        snapshot = empty
        self.definitions = definitions
        self.revision = revision
        reader = SnapshotBuilder.reader(definitions)
    }

    /// - Parameter replacing: contracts that take the place of what the store has.
    mutating func load(
        from store: any ControlStore, replacing: SnapshotBuilder.Contracts
    ) throws(ControlProblem) {
        do throws(ControlStoreError) {
            try store.scanContracts { customer, histories in
                if replacing[customer] == nil { take(customer, histories) }
            }
        } catch {
            throw .store(error)
        }
        for contract in replacing.values.compactMap({ $0 }).sorted(by: { $0.id < $1.id }) {
            take(contract)
        }
        if let problem { throw problem }
        try flush()
        try settle()
    }

    private mutating func take(_ customer: CustomerID, _ histories: [RecordHistory]) {
        if problem != nil { return }
        do throws(ControlProblem) {
            if let contract = try SnapshotBuilder.contract(of: customer, histories, reader) {
                take(contract)
            }
        } catch {
            problem = error
        }
    }

    private mutating func take(_ contract: CustomerContract) {
        if problem != nil { return }
        if Self.parent(of: contract) != nil {
            waiting.append(contract)
            return
        }
        chunk.append(contract)
        guard chunk.count >= Self.chunkSize else { return }
        do throws(ControlProblem) { try flush() } catch { problem = error }
    }

    /// Takes generation after generation in; what is left then has no parent, or itself for one,
    /// and is reported by the compiler.
    private mutating func settle() throws(ControlProblem) {
        while !waiting.isEmpty {
            var later: [CustomerContract] = []
            for contract in waiting {
                let parent = Self.parent(of: contract).flatMap { snapshot.customerIndex($0) }
                if let parent, !snapshot.customer(parent).isRemoved {
                    chunk.append(contract)
                    if chunk.count >= Self.chunkSize { try flush() }
                } else {
                    later.append(contract)
                }
            }
            if later.count == waiting.count { chunk += later; later = [] }
            try flush()
            waiting = later
        }
    }

    private mutating func flush() throws(ControlProblem) {
        if chunk.isEmpty { return }
        snapshot = try SnapshotBuilder.compiled(
            snapshot.updating(chunk, revision: revision), definitions
        ).snapshot
        chunk.removeAll(keepingCapacity: true)
    }

    private static func parent(of contract: CustomerContract) -> CustomerID? {
        contract.profile.steps.last?.value?.parent
    }
}
