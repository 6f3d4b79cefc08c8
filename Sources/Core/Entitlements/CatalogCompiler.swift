import MeteringModel

/// Checks a catalog's definitions and builds what they mean. Goes on after an issue, so that one run
/// reports them all; the parts are used only when there was none.
struct CatalogCompiler {
    /// What definitions are made of.
    struct Parts {
        /// Without customers; plans are numbered.
        var catalog: Catalog
        var paths: [ValuePath] = []
        var meterIndexes: [MeterKey: Int] = [:]
        var features: [FeatureKey: FeatureDefinition] = [:]
        var typeNumbers = ByteStringTable()
        var metersOfTypeNumber: [[CompiledMeter]] = []
        var plans: [PlanKey: [Int: PlanDefinition]] = [:]
        var latestPlans: [PlanKey: PlanDefinition] = [:]
        var addOns: [AddOnKey: AddOnDefinition] = [:]
        var products: [ProductKey: ProductDefinition] = [:]
    }

    static let keyBytesMax = 128

    let hash: KeyHash
    var parts: Parts
    var issues = CatalogIssues()
    private var slots: [ValuePath: Int] = [:]

    var catalog: Catalog { parts.catalog }

    init(catalog: Catalog, hash: KeyHash) {
        self.hash = hash
        var definitions = catalog
        definitions.customers = []
        parts = Parts(catalog: definitions)
    }

    mutating func run() {
        for index in catalog.products.indices { compileProduct(index) }
        for index in catalog.meters.indices { compileMeter(index) }
        for index in catalog.features.indices { compileFeature(index) }
        compilePlans()
        compileAddOns()
        checkReferences()
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
        } else if let problem = NameForm.problem(with: key) {
            issues.add(path, "the key \"\(key)\" \(problem)")
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
        } else if let problem = NameForm.problem(with: id) {
            issues.add(path, "the id \"\(id)\" \(problem)")
        } else {
            return true
        }
        return false
    }
}
