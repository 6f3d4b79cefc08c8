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
    /// Customers without whom it goes on when they do not compile.
    private let mayLack: (CustomerID) -> Bool
    private(set) var leftOut: [CustomerID: ControlProblem] = [:]

    init(
        _ empty: CatalogSnapshot, _ definitions: Catalog, revision: Int64,
        mayLack: @escaping (CustomerID) -> Bool
    ) {
        self.mayLack = mayLack
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
            if mayLack(customer) { leftOut[customer] = error } else { problem = error }
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
        let contracts = chunk
        chunk.removeAll(keepingCapacity: true)
        try compile(contracts[...])
    }

    /// Halves what does not compile until those are found who are to blame.
    private mutating func compile(
        _ contracts: ArraySlice<CustomerContract>
    ) throws(ControlProblem) {
        guard let first = contracts.first else { return }
        do throws(ControlProblem) {
            snapshot = try SnapshotBuilder.compiled(
                snapshot.updating(Array(contracts), revision: revision), definitions
            ).snapshot
        } catch {
            guard contracts.contains(where: { mayLack($0.id) }) else { throw error }
            if contracts.count == 1 {
                leftOut[first.id] = error
                return
            }
            let middle = contracts.startIndex + contracts.count / 2
            try compile(contracts[..<middle])
            try compile(contracts[middle...])
        }
    }

    private static func parent(of contract: CustomerContract) -> CustomerID? {
        contract.profile.steps.last?.value?.parent
    }
}
