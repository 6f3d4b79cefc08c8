/// The checksum of Ethernet and zip (reflected polynomial 0xEDB88320).
enum CRC32 {
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var state = UInt32.max
        for byte in bytes {
            state ^= UInt32(byte)
            for _ in 0..<8 { state = state >> 1 ^ (state & 1 == 0 ? 0 : 0xEDB8_8320) }
        }
        return ~state
    }
}
