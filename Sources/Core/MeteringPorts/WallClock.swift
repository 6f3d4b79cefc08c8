package import MeteringModel

/// The time of day, injected so that tests decide it.
package struct WallClock: Sendable {
    package var now: @Sendable () -> Timestamp
    package init(now: @escaping @Sendable () -> Timestamp) { self.now = now }
}
