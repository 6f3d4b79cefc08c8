import CLibrdkafka
import Glibc

// Record headers as one byte string, so that they cross the boundary without an object per header:
// for each header UInt16 name length, name, UInt32 value length, value; lengths little-endian;
// value length 0xFFFFFFFF for a null value.

/// A buffer that takes the headers of one record after another and only ever grows.
@safe
struct HeaderScratch: ~Copyable {
    private(set) var storage: UnsafeMutableRawBufferPointer

    init() {
        // SAFETY: freed in deinit, replaced only by `reserve`.
        unsafe storage = .allocate(byteCount: 1_024, alignment: 1)
    }

    deinit {
        // SAFETY: the one buffer this struct owns.
        unsafe storage.deallocate()
    }

    /// Writes the headers of `message` from the start of the buffer on.
    /// - Returns: how many bytes were written; 0 for a record without headers.
    mutating func fill(from message: UnsafeMutablePointer<rd_kafka_message_t>) -> Int {
        var headers: OpaquePointer?
        // SAFETY: the message is alive; it keeps owning the parsed headers, and names and values
        // stay valid as long as it does.
        guard unsafe rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR,
            let headers = unsafe headers
        else { return 0 }
        var end = 0
        var index = 0
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var valueCount = 0
        while unsafe rd_kafka_header_get_all(headers, index, &name, &value, &valueCount)
            == RD_KAFKA_RESP_ERR_NO_ERROR
        {
            index += 1
            guard let start = unsafe name else { continue }
            let nameCount = unsafe min(Int(UInt16.max), strlen(start))
            unsafe append(
                UnsafeRawBufferPointer(start: start, count: nameCount),
                UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : valueCount),
                isNull: value == nil, at: &end)
        }
        return end
    }

    private mutating func append(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, isNull: Bool,
        at end: inout Int
    ) {
        reserve(end + 6 + name.count + value.count, keeping: end)
        let valueCount = isNull ? UInt32.max : UInt32(clamping: value.count)
        // SAFETY: `reserve` made room for both lengths and both byte strings.
        unsafe storage.storeBytes(
            of: UInt16(name.count).littleEndian, toByteOffset: end, as: UInt16.self)
        end += 2
        unsafe UnsafeMutableRawBufferPointer(rebasing: storage[end...]).copyMemory(from: name)
        end += name.count
        unsafe storage.storeBytes(
            of: valueCount.littleEndian, toByteOffset: end, as: UInt32.self)
        end += 4
        guard unsafe !value.isEmpty else { return }
        unsafe UnsafeMutableRawBufferPointer(rebasing: storage[end...]).copyMemory(from: value)
        end += value.count
    }

    private mutating func reserve(_ count: Int, keeping used: Int) {
        guard unsafe count > storage.count else { return }
        // SAFETY: the old buffer is freed after its used part was copied.
        let larger = unsafe UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(count, storage.count * 2), alignment: 1)
        unsafe larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[..<used]))
        unsafe storage.deallocate()
        unsafe storage = larger
    }
}

/// Makes librdkafka's header list from the byte form.
/// - Returns: a list that the caller must free or hand to a successful produce call.
/// - Throws: `invalidArgument` when the bytes break off in the middle of a header.
func makeHeaderList(_ bytes: UnsafeRawBufferPointer) throws(KafkaError) -> OpaquePointer? {
    // SAFETY: every read below is guarded against the end of `bytes`.
    guard unsafe !bytes.isEmpty, let list = unsafe rd_kafka_headers_new(8) else { return nil }
    var rest = unsafe bytes[...]
    func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, unsafe rest.count >= count else { return nil }
        let taken = unsafe UnsafeRawBufferPointer(rebasing: rest.prefix(count))
        unsafe rest = rest.dropFirst(count)
        return unsafe taken
    }
    while unsafe !rest.isEmpty {
        guard let nameLength = unsafe take(2)?.loadUnaligned(as: UInt16.self),
            let name = unsafe take(Int(UInt16(littleEndian: nameLength))),
            let rawLength = unsafe take(4)?.loadUnaligned(as: UInt32.self)
        else { throw unsafe malformed(list) }
        let valueLength = UInt32(littleEndian: rawLength)
        let isNull = valueLength == .max
        guard let value = unsafe take(isNull ? 0 : Int(valueLength)) else {
            throw unsafe malformed(list)
        }
        // An empty value still needs an address: NULL would make it a null value.
        let start = unsafe isNull ? nil : value.baseAddress ?? bytes.baseAddress
        let code = unsafe rd_kafka_header_add(
            list, name.bindMemory(to: CChar.self).baseAddress, name.count, start, value.count)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw unsafe malformed(list) }
    }
    return unsafe list
}

private func malformed(_ list: OpaquePointer) -> KafkaError {
    // SAFETY: the list belongs to the caller, who gives it up by throwing.
    unsafe rd_kafka_headers_destroy(list)
    return KafkaError(
        code: .invalidArgument, attempt: "read record headers",
        detail: "their lengths do not fit their bytes")
}
