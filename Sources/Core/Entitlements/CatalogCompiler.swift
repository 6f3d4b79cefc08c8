import MeteringModel

/// Checks a catalog and builds the parts of a snapshot. Goes on after an issue, so that one run
/// reports them all; the parts are used only when there was none.
struct CatalogCompiler {
    /// What a snapshot is made of.
    struct Parts {
        var catalog: Catalog
        var paths: [ValuePath] = []
        var customers: [CompiledCustomer] = []
        var quotas: [Quota] = []
        var meterIndexes: [MeterKey: Int] = [:]
        var features: [FeatureKey: FeatureDefinition] = [:]
        var typeNumbers = ByteStringTable(capacity: 16)
        var metersOfTypeNumber: [[CompiledMeter]] = []
        var customerNumbers: ByteStringTable
        var subjectNumbers: ByteStringTable
    }

    static let keyBytesMax = 128

    let hash: KeyHash
    var parts: Parts
    var issues = CatalogIssues()
    var shapes: [PlanKey: PlanShape] = [:]
    private var slots: [ValuePath: Int] = [:]

    var catalog: Catalog { parts.catalog }

    init(catalog: Catalog, hash: KeyHash) {
        self.hash = hash
        let subjectCount = catalog.customers.reduce(0) { $0 + $1.subjects.count }
        parts = Parts(
            catalog: catalog,
            customerNumbers: ByteStringTable(
                capacity: min(catalog.customers.count, ByteStringTable.entriesMax)),
            subjectNumbers: ByteStringTable(
                capacity: min(subjectCount, ByteStringTable.entriesMax)))
    }

    mutating func run(planVersion: (PlanKey) -> Int, zone: (String) -> TimeZoneRules?) {
        for index in catalog.meters.indices { compileMeter(index) }
        for index in catalog.features.indices { compileFeature(index) }
        compilePlans(version: planVersion)
        compileCustomers(zone: zone)
    }

    /// The decoder slot of a path; the same path has one slot.
    mutating func slot(of path: ValuePath) -> Int {
        if let known = slots[path] { return known }
        let slot = parts.paths.count
        parts.paths.append(path)
        slots[path] = slot
        return slot
    }

    /// Keys of meters, features and plans: short, without spaces, so that they fit in addresses
    /// and command lines.
    mutating func checkKey(_ key: String, at path: [String]) {
        if key.isEmpty {
            issues.add(path, "a key must not be empty")
        } else if key.utf8.count > Self.keyBytesMax {
            issues.add(path, "a key must not be longer than \(Self.keyBytesMax) bytes")
        } else if key.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7F }) {
            issues.add(path, "a key must not contain spaces or control characters")
        }
    }

    /// Ids of customers and subjects: foreign, so anything that can be shown in a line.
    mutating func checkID(_ id: String, at path: [String]) -> Bool {
        let max = ByteStringTable.nameBytesMax
        if id.isEmpty {
            issues.add(path, "an id must not be empty")
        } else if id.utf8.count > max {
            issues.add(path, "an id must not be longer than \(max) bytes")
        } else if id.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
            issues.add(path, "an id must not contain control characters")
        } else {
            return true
        }
        return false
    }
}
