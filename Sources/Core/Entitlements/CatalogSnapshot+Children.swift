extension CatalogSnapshot {
    /// Whether other customers are below this one at some time: their usage counts in its own.
    public func hasChildren(_ number: Int) -> Bool { !children[number].isEmpty }
}
