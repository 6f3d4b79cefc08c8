public import MeteringModel

extension CatalogSnapshot {
    /// Checks definitions and contracts and compiles them.
    ///
    /// - Parameters:
    ///   - hash: the installation's key, for the look-up tables.
    ///   - keeping: a snapshot whose customers keep their numbers; those that `contracts` does not
    ///     have are marked as removed.
    ///   - zone: the rules of a named time zone; nil when there is no such zone here.
    /// - Returns: the snapshot, or all issues found.
    public static func compile(
        _ catalog: Catalog, contracts: some Sequence<CustomerContract>, revision: Int64,
        hash: KeyHash, keeping: CatalogSnapshot? = nil,
        zone: @escaping @Sendable (String) -> TimeZoneRules?
    ) -> Result<CatalogSnapshot, CatalogIssues> {
        CompiledDefinitions.compile(catalog, hash: hash).flatMap { definitions in
            compile(
                definitions, contracts.lazy.map { ($0, .record($0.id)) }, revision: revision,
                keeping: keeping, zone: zone, issues: CatalogIssues())
        }
    }

    /// Compiles a document with the customers that stand in it.
    public static func compile(
        _ catalog: Catalog, revision: Int64, hash: KeyHash,
        zone: @escaping @Sendable (String) -> TimeZoneRules?
    ) -> Result<CatalogSnapshot, CatalogIssues> {
        var compiler = CatalogCompiler(catalog: catalog, hash: hash)
        compiler.run()
        // Issues of customers are reported with those of definitions.
        let definitions = CompiledDefinitions(compiler.parts, hash: hash)
        let contracts = catalog.customers.lazy.enumerated().map { index, customer in
            (CustomerContract(customer, definitions), ContractPlace.document(index))
        }
        return compile(
            definitions, contracts, revision: revision, keeping: nil, zone: zone,
            issues: compiler.issues)
    }

    private static func compile(
        _ definitions: CompiledDefinitions,
        _ contracts: some Sequence<(CustomerContract, ContractPlace)>, revision: Int64,
        keeping: CatalogSnapshot?, zone: @escaping @Sendable (String) -> TimeZoneRules?,
        issues: CatalogIssues
    ) -> Result<CatalogSnapshot, CatalogIssues> {
        var build = SnapshotBuild(definitions, ZoneSource(zone))
        build.issues = issues
        if let keeping { build.keepNumbers(of: keeping) }
        for (contract, place) in contracts { build.take(contract, place) }
        build.finish()
        if !build.issues.isEmpty { return .failure(build.issues) }
        return .success(CatalogSnapshot(build, revision: revision))
    }

    /// What an update made.
    public struct SnapshotUpdate: Sendable {
        public var snapshot: CatalogSnapshot
        /// Numbers of customers that were made anew, removed ones and twins included; ascending.
        public var changed: [Int]
    }

    /// The snapshot after a change of some customers. Costs what they cost, not what all do; the
    /// rest is shared with this one. Only what changed is checked, and the trees that it moves.
    /// - Parameter contracts: replace those of the same customers, or are new.
    public func updating(
        _ contracts: [CustomerContract], removing: [CustomerID] = [], revision: Int64
    ) -> Result<SnapshotUpdate, CatalogIssues> {
        var build = SnapshotBuild(self)
        for id in removing { build.remove(id) }
        build.beginUpdate(contracts.map(\.id))
        for contract in contracts { build.take(contract, .record(contract.id)) }
        build.finish()
        if !build.issues.isEmpty { return .failure(build.issues) }
        return .success(
            SnapshotUpdate(
                snapshot: CatalogSnapshot(build, revision: revision),
                changed: build.touched.sorted()))
    }

    /// The snapshot with a customer's twin for an environment, for a question that names it.
    public func adding(
        _ environment: Environment, of number: Int
    ) -> SnapshotUpdate {
        var build = SnapshotBuild(self)
        let own = customer(number)
        let base = own.base < 0 ? number : Int(own.base)
        if customerIndex(base, environment: environment) == nil {
            _ = build.makeTwin(of: base, environment, subjects: [])
        }
        return SnapshotUpdate(
            snapshot: CatalogSnapshot(build, revision: revision), changed: build.touched.sorted())
    }
}

extension CustomerContract {
    /// What a document says of a customer, the same at all times. A subscription without an id is
    /// called after the customer and the product.
    public init(_ definition: CustomerDefinition, _ definitions: CompiledDefinitions) {
        self.init(
            id: definition.id, profile: Dated(definition.profile),
            subscriptions: definition.subscriptions.map {
                let product = definitions.plan($0.terms.plan)?.product ?? .default
                return Held(id: $0.id ?? "\(definition.id):\(product)", terms: Dated($0.terms))
            })
    }
}
