/// Record headers as one byte string, so that they cross layers without an allocation:
/// for each header UInt16 name length, name, UInt32 value length, value (little-endian lengths).
/// Value length 0xFFFFFFFF stands for a null value.
package enum FlatHeaders {
    package static func append(name: String, value: String, to bytes: inout [UInt8]) {
        append(name: Array(name.utf8), value: Array(value.utf8), to: &bytes)
    }

    package static func append(name: [UInt8], value: [UInt8]?, to bytes: inout [UInt8]) {
        let nameLength = UInt16(clamping: name.count)
        bytes.append(UInt8(truncatingIfNeeded: nameLength))
        bytes.append(UInt8(truncatingIfNeeded: nameLength >> 8))
        bytes.append(contentsOf: name.prefix(Int(nameLength)))
        let valueLength = value.map { UInt32(clamping: $0.count) } ?? UInt32.max
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: valueLength >> shift))
        }
        if let value { bytes.append(contentsOf: value) }
    }
}
