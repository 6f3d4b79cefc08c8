import Synchronization

/// The snapshot in force, replaced whole. Readers take a reference and keep it for as long as one
/// decision or one batch needs consistent answers.
public final class CurrentCatalog: Sendable {
    private let snapshot: Mutex<CatalogSnapshot>
    private let generationCount = Atomic<Int64>(0)

    public init(_ snapshot: CatalogSnapshot) {
        self.snapshot = Mutex(snapshot)
    }

    public func load() -> CatalogSnapshot { snapshot.withLock { $0 } }

    /// Rises with every replacement, at the latest when `load` answers anew: a cheap way to ask
    /// whether it would.
    public var generation: Int64 { generationCount.load(ordering: .acquiring) }

    public func replace(_ next: CatalogSnapshot) {
        snapshot.withLock {
            generationCount.add(1, ordering: .acquiringAndReleasing)
            $0 = next
        }
    }
}
