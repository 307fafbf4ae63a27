import PKCS11
import Platform

extension TokenManagement {
    func notes(of deployment: String, unlessKept own: AgentNote?) async throws -> [AgentNote]? {
        try await perform(urgency: .background) { [access, seenNotes] session in
            let generation = access.generation
            if let own, let object = seenNotes.withLock({ $0.own(in: generation) }), try session.note(of: object) == own {
                return nil
            }
            var seen = SeenNotes(generation: generation)
            var notes: [AgentNote] = []
            for object in try session.findObjects([.class(.data), .label(AgentNote.label(of: deployment))]) {
                seen.objects.append(object)
                guard let note = try session.note(of: object) else { continue }
                notes.append(note)
                if note == own { seen.own = object }
            }
            seenNotes.withLock { $0 = seen }
            return notes
        }
    }

    func keep(_ note: AgentNote, of deployment: String) async throws -> PKCS11Error? {
        let label = AgentNote.label(of: deployment)
        // Not as work that writes: where the token is not to be written to, that is to be found out here.
        return try await perform(urgency: .background) { [access, seenNotes] session in
            let generation = access.generation
            // What has come since then is for the next look.
            let former = seenNotes.withLock { $0.generation == generation ? $0.objects : [] }
            let object: ObjectHandle
            do throws(PKCS11Error) {
                object = try session.createDataObject(label: label, application: note.text)
            } catch {
                guard error.isRefusalOfNotes else { throw error }
                return error
            }
            seenNotes.withLock { $0 = SeenNotes(generation: generation, objects: [object], own: object) }
            // Only now: an agent that finds no note at all has nothing to notice.
            for other in former where other != object {
                do throws(PKCS11Error) {
                    // By now the handle may be another object's.
                    guard try session.isNote(other, labelled: label) else { continue }
                    try session.destroyObject(other)
                } catch {
                    // Whose it was may have done so at the same moment; and what the token will not let go of is left, or
                    // another note would be made each time.
                    guard !error.saysNothingWorks else { throw error }
                }
            }
            return nil
        }
    }
}

/// The notes of a deployment where the token has shown them last, so that it need not be searched for them.
struct SeenNotes: Sendable {
    /// Of the module's initialisation in which the handles are good.
    var generation = 0
    var objects: [ObjectHandle] = []
    /// This agent's.
    var own: ObjectHandle?

    func own(in generation: Int) -> ObjectHandle? { self.generation == generation ? own : nil }
}

extension Session {
    /// What is no data object is not touched, whatever its label.
    fileprivate func isNote(_ object: ObjectHandle, labelled label: String) throws(PKCS11Error) -> Bool {
        guard try number(.class, of: object) == ObjectClass.data.rawValue else { return false }
        return try bytes(.label, of: object) == Array(label.utf8)
    }

    /// `nil` when the object is gone, or is no note.
    fileprivate func note(of object: ObjectHandle) throws(PKCS11Error) -> AgentNote? {
        do throws(PKCS11Error) {
            guard let text = try bytes(.application, of: object) else { return nil }
            return AgentNote(text: String(decoding: text, as: UTF8.self))
        } catch {
            guard Reaction(to: error).mayBeOfHandle else { throw error }
            return nil
        }
    }
}

extension PKCS11Error {
    /// Whether the token will not keep a note, and is as good as before for all else: not what says that a session or a device
    /// is gone.
    fileprivate var isRefusalOfNotes: Bool {
        guard let returnValue else { return false }
        return switch returnValue {
        case .generalError, .templateInconsistent, .templateIncomplete, .attributeTypeInvalid, .attributeValueInvalid,
            .attributeReadOnly, .hostMemory, .deviceMemory, .functionFailed, .tokenWriteProtected, .sessionReadOnly,
            .functionNotSupported, .argumentsBad, .actionProhibited:
            true
        default: false
        }
    }

    /// Whether it is about the session or the device, and not about an object.
    fileprivate var saysNothingWorks: Bool {
        guard let returnValue else { return true }
        return switch returnValue {
        case .sessionHandleInvalid, .sessionClosed, .deviceRemoved, .deviceError, .tokenNotPresent, .cryptokiNotInitialized,
            .userNotLoggedIn:
            true
        default: false
        }
    }
}
