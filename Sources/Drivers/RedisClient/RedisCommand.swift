/// A command with its arguments, already in wire form: an argument is any bytes, with its length
/// before it, so nothing in it needs quoting.
package struct RedisCommand: Sendable {
    package private(set) var argumentCount = 0
    private var body: [UInt8] = []

    /// Without a name: a list of arguments, to be appended to a command later.
    package init() {}

    package init(_ words: String...) {
        for word in words { append(word) }
    }

    package init(_ arguments: [[UInt8]]) {
        for argument in arguments { append(argument) }
    }

    package mutating func append(_ text: String) {
        let utf8 = text.utf8
        startArgument(byteCount: utf8.count)
        body.append(contentsOf: utf8)
        endArgument()
    }

    package mutating func append(_ bytes: [UInt8]) {
        startArgument(byteCount: bytes.count)
        body.append(contentsOf: bytes)
        endArgument()
    }

    package mutating func append(_ number: Int64) { append(String(number)) }

    /// Appends all arguments of another one.
    package mutating func append(argumentsOf other: RedisCommand) {
        body.append(contentsOf: other.body)
        argumentCount += other.argumentCount
    }

    /// Size on the wire, without the short header.
    package var byteCount: Int { body.count }

    func write(into wire: inout [UInt8]) {
        wire.append(UInt8(ascii: "*"))
        wire.append(contentsOf: String(argumentCount).utf8)
        wire.append(13)
        wire.append(10)
        wire.append(contentsOf: body)
    }

    private mutating func startArgument(byteCount: Int) {
        argumentCount += 1
        body.append(UInt8(ascii: "$"))
        body.append(contentsOf: String(byteCount).utf8)
        body.append(13)
        body.append(10)
    }

    private mutating func endArgument() {
        body.append(13)
        body.append(10)
    }
}
