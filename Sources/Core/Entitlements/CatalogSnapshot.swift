public import MeteringModel

/// Definitions and all customers, compiled for the hot paths: immutable, indexed by small numbers,
/// safe to share. A snapshot after a change shares with the one before all that did not change.
///
/// Customers are named by numbers that are the same in all snapshots of a process. Look-ups by
/// bytes take a hash made with the snapshot's own `hash`.
public final class CatalogSnapshot: Sendable {
    /// Sequence of the last change that is in it.
    public let revision: Int64
    /// Another object only when meters, features, plans, add-ons or products changed.
    public let definitions: CompiledDefinitions
    let customers: PagedArray<CompiledCustomer>
    let customerNumbers: NameIndex
    let subjectNumbers: NameIndex
    /// By customer number: the numbers of customers that are its children at some time.
    let children: PagedArray<[Int32]>
    /// By customer number: the numbers of its twins for other environments.
    let twins: PagedArray<[Int32]>
    let zones: ZoneSource

    init(_ build: SnapshotBuild, revision: Int64) {
        self.revision = revision
        definitions = build.definitions
        customers = build.customers
        customerNumbers = build.customerNumbers
        subjectNumbers = build.subjectNumbers
        children = build.children
        twins = build.twins
        zones = build.zones
    }

    /// Makes the hashes that look-ups by bytes take.
    public var hash: KeyHash { definitions.hash }
    public var meters: [MeterDefinition] { definitions.meters }
    /// All value, group and filter paths of all meters, each once: the slots of an event decoder.
    public var paths: [ValuePath] { definitions.paths }
    public func meterIndex(_ key: MeterKey) -> Int? { definitions.meterIndex(key) }
    public func feature(_ key: FeatureKey) -> FeatureDefinition? { definitions.feature(key) }

    /// The meters that take events of a type; empty when none does. Allocates nothing.
    /// - Parameter typeHash: `hash.hash(type)`.
    public func metersOfType(_ typeHash: UInt64, _ type: RawSpan) -> [CompiledMeter] {
        definitions.metersOfType(typeHash, type)
    }

    // MARK: customers

    /// Numbers given so far, those of removed customers and of twins included.
    public var customerCount: Int { customers.count }

    /// - Parameter number: below `customerCount`. Allocates nothing.
    public func customer(_ number: Int) -> CompiledCustomer { customers[number] }

    /// Also finds twins by their ids (`acme#sandbox`). Allocates nothing.
    public func customerIndex(_ id: CustomerID) -> Int? {
        customerNumbers.number(id.rawValue, hash)
    }

    /// The customer that a subject belongs to, or its twin. Allocates nothing.
    /// - Parameter subjectHash: `hash.hash(subject)`.
    public func customerIndex(subjectHash: UInt64, subject: RawSpan) -> Int? {
        subjectNumbers.number(hash: subjectHash, subject)
    }

    /// The customer that a subject belongs to, or its twin. Allocates nothing.
    public func customerIndex(ofSubject subject: SubjectID) -> Int? {
        subjectNumbers.number(subject.rawValue, hash)
    }

    /// The twin of a customer for an environment; nil while there is none. Production, and the
    /// customer's own environment, is the customer itself.
    public func customerIndex(_ number: Int, environment: Environment) -> Int? {
        let own = customers[number]
        let base = own.base < 0 ? own : customers[Int(own.base)]
        if environment == .production || environment == base.environment { return base.number }
        return twins[base.number].first { customers[Int($0)].environment == environment }.map(
            Int.init)
    }
}
