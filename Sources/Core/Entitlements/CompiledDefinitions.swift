public import MeteringModel

/// The catalog without its customers, checked and indexed: what all contracts are folded against.
/// One object for as long as no definition changes.
public final class CompiledDefinitions: Sendable {
    /// Without customers; all plans are numbered.
    public let catalog: Catalog
    /// Makes the hashes that look-ups by bytes take.
    public let hash: KeyHash
    /// All value, group and filter paths of all meters, each once: the slots of an event decoder.
    public let paths: [ValuePath]
    /// Sorted; positions are feature numbers.
    public let featureKeys: [FeatureKey]

    private let meterIndexes: [MeterKey: Int]
    private let features: [FeatureKey: FeatureDefinition]
    private let featureNumbers: [FeatureKey: Int]
    private let typeNumbers: ByteStringTable
    private let metersOfTypeNumber: [[CompiledMeter]]
    private let plans: [PlanKey: [Int: PlanDefinition]]
    private let latestPlans: [PlanKey: PlanDefinition]
    private let addOns: [AddOnKey: AddOnDefinition]
    private let products: [ProductKey: ProductDefinition]
    let upgrades: UpgradePaths
    let shapes = ShapeCache()

    init(_ parts: CatalogCompiler.Parts, hash: KeyHash) {
        catalog = parts.catalog
        self.hash = hash
        paths = parts.paths
        meterIndexes = parts.meterIndexes
        features = parts.features
        featureKeys = parts.features.keys.sorted()
        featureNumbers = Dictionary(
            uniqueKeysWithValues: featureKeys.enumerated().map { ($0.element, $0.offset) })
        typeNumbers = parts.typeNumbers
        metersOfTypeNumber = parts.metersOfTypeNumber
        plans = parts.plans
        latestPlans = parts.latestPlans
        addOns = parts.addOns
        products = parts.products
        upgrades = UpgradePaths(parts.catalog.plans)
    }

    /// Checks definitions and compiles them; the catalog's customers are left aside.
    public static func compile(
        _ catalog: Catalog, hash: KeyHash
    ) -> Result<CompiledDefinitions, CatalogIssues> {
        var compiler = CatalogCompiler(catalog: catalog, hash: hash)
        compiler.run()
        if !compiler.issues.isEmpty { return .failure(compiler.issues) }
        return .success(CompiledDefinitions(compiler.parts, hash: hash))
    }

    public var meters: [MeterDefinition] { catalog.meters }

    public func meterIndex(_ key: MeterKey) -> Int? { meterIndexes[key] }

    public func feature(_ key: FeatureKey) -> FeatureDefinition? { features[key] }

    /// Position in `featureKeys`. Allocates nothing.
    public func featureNumber(_ key: FeatureKey) -> Int? { featureNumbers[key] }

    /// The latest version.
    public func plan(_ key: PlanKey) -> PlanDefinition? { latestPlans[key] }

    /// - Parameter version: 0 means the latest.
    public func plan(_ key: PlanKey, version: Int) -> PlanDefinition? {
        version == 0 ? latestPlans[key] : plans[key]?[version]
    }

    /// Ascending.
    public func planVersions(_ key: PlanKey) -> [Int] { plans[key]?.keys.sorted() ?? [] }

    public func addOn(_ key: AddOnKey) -> AddOnDefinition? { addOns[key] }

    public func product(_ key: ProductKey) -> ProductDefinition? { products[key] }

    /// The meters that take events of a type; empty when none does. Allocates nothing.
    /// - Parameter typeHash: `hash.hash(type)`.
    public func metersOfType(_ typeHash: UInt64, _ type: RawSpan) -> [CompiledMeter] {
        guard let number = typeNumbers.number(hash: typeHash, type) else { return [] }
        return metersOfTypeNumber[number]
    }
}
