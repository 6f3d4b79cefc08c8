/// A password. Printing, interpolating, dumping or reflecting it shows nothing of it.
package struct RedisSecret: Sendable, Hashable {
    let value: String

    package init(_ value: String) { self.value = value }
}

extension RedisSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "***" }
    package var debugDescription: String { "***" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
