public import MeteringModel

/// A catalog compiled for the hot paths: immutable, indexed by small numbers, safe to share.
///
/// Meters, customers and quotas are named by their position in the arrays here; a position is good
/// for this snapshot only. Look-ups by bytes take a hash made with the snapshot's own `hash`.
public final class CatalogSnapshot: Sendable {
    public let catalog: Catalog
    public let revision: Int64
    /// Makes the hashes that look-ups by bytes take.
    public let hash: KeyHash
    public let meters: [MeterDefinition]
    /// All value, group and filter paths of all meters, each once: the slots of an event decoder.
    public let paths: [ValuePath]
    public let customers: [CompiledCustomer]
    /// Each customer's quotas lie together, sorted by meter, then feature.
    public let quotas: [Quota]

    private let meterIndexes: [MeterKey: Int]
    private let features: [FeatureKey: FeatureDefinition]
    private let typeNumbers: ByteStringTable
    private let metersOfTypeNumber: [[CompiledMeter]]
    private let customerNumbers: ByteStringTable
    private let subjectNumbers: ByteStringTable

    init(_ parts: CatalogCompiler.Parts, revision: Int64, hash: KeyHash) {
        catalog = parts.catalog
        self.revision = revision
        self.hash = hash
        meters = parts.catalog.meters
        paths = parts.paths
        customers = parts.customers
        quotas = parts.quotas
        meterIndexes = parts.meterIndexes
        features = parts.features
        typeNumbers = parts.typeNumbers
        metersOfTypeNumber = parts.metersOfTypeNumber
        customerNumbers = parts.customerNumbers
        subjectNumbers = parts.subjectNumbers
    }

    /// Checks a catalog and compiles it.
    ///
    /// - Parameters:
    ///   - hash: the installation's key, for the look-up tables.
    ///   - planVersion: the number of the version that a plan's content is.
    ///   - zone: the rules of a named time zone; nil when there is no such zone here.
    /// - Returns: the snapshot, or all issues found.
    public static func compile(
        _ catalog: Catalog, revision: Int64, hash: KeyHash, planVersion: (PlanKey) -> Int,
        zone: (String) -> TimeZoneRules?
    ) -> Result<CatalogSnapshot, CatalogIssues> {
        var compiler = CatalogCompiler(catalog: catalog, hash: hash)
        compiler.run(planVersion: planVersion, zone: zone)
        if !compiler.issues.isEmpty { return .failure(compiler.issues) }
        return .success(CatalogSnapshot(compiler.parts, revision: revision, hash: hash))
    }

    // MARK: look-ups

    public func meterIndex(_ key: MeterKey) -> Int? { meterIndexes[key] }

    public func feature(_ key: FeatureKey) -> FeatureDefinition? { features[key] }

    /// The meters that take events of a type; empty when none does. Allocates nothing.
    /// - Parameter typeHash: `hash.hash(type)`.
    public func metersOfType(_ typeHash: UInt64, _ type: RawSpan) -> [CompiledMeter] {
        guard let number = typeNumbers.number(hash: typeHash, type) else { return [] }
        return metersOfTypeNumber[number]
    }

    /// The customer that a subject belongs to. Allocates nothing.
    /// - Parameter subjectHash: `hash.hash(subject)`.
    public func customerIndex(subjectHash: UInt64, subject: RawSpan) -> Int? {
        subjectNumbers.number(hash: subjectHash, subject)
    }

    public func customerIndex(_ id: CustomerID) -> Int? {
        // SAFETY: the span is read while `id` is alive.
        unsafe customerNumbers.number(
            hash: hash.hash(id.rawValue), id.rawValue.utf8Span.span.bytes)
    }

    /// The position in `quotas` of a customer's quota for a feature; nil when it has none.
    public func quotaIndex(customer: Int, feature: FeatureKey) -> Int? {
        let customer = customers[customer]
        guard let position = customer.shape.templateOfFeature[feature] else { return nil }
        return customer.firstQuota + position
    }

    /// The key of the plan that gives the next larger amount of a feature: the next higher limit
    /// over the same unit of time, or none at all. Nil when the customer has the most already.
    public func upgradeHint(customer: Int, feature: FeatureKey) -> String? {
        customers[customer].shape.upgradeOfFeature[feature]
    }
}
