import Synchronization

/// A flag that a test and its stand-ins share.
final class Switch: Sendable {
    private let state: Atomic<Bool>
    init(_ isOn: Bool) { state = Atomic(isOn) }
    var isOn: Bool { state.load(ordering: .acquiring) }
    func turn(_ isOn: Bool) { state.store(isOn, ordering: .releasing) }
}
