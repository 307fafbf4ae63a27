import Testing

@testable import Platform

@Suite("What is reached through a mount")
struct MountTests {
    @Test(
        "cannot be changed where its file system is read-only, or the mount is and is nobody else's; one that is a copy of another is not taken for that",
        arguments: [
            // A pod's ConfigMap, Secret and emptyDir, as a container has them.
            ("- ext4 /dev/nvme0n1p1 rw,discard", "ro,relatime", true),
            ("- tmpfs tmpfs rw,size=8k,inode64", "ro,relatime", true),
            ("- ext4 /dev/nvme0n1p1 rw,discard", "rw,relatime", false),
            // Under ProtectSystem=strict, and what other sandboxes are made with.
            ("shared:301 master:1 - ext4 /dev/sda1 rw", "ro,relatime", false),
            ("master:1 - ext4 /dev/sda1 rw", "ro,relatime", false),
            ("shared:7 - ext4 /dev/sda1 rw", "ro,relatime", false),
            ("master:2 propagate_from:1 - ext4 /dev/sda1 rw", "ro", false),
            ("unbindable - ext4 /dev/sda1 rw", "ro", true),
            // Nobody can write to these.
            ("shared:1 - squashfs /dev/loop0 ro", "ro,relatime", true),
            ("shared:1 - iso9660 /dev/sr0 ro,norock", "rw", true),
            // Others can write to these elsewhere.
            ("- nfs4 server:/export ro,vers=4.2", "ro,relatime", false), ("- fuse.sshfs host: ro", "ro", false),
            ("- 9p share ro", "ro", false), ("- virtiofs share rw", "ro", false),
            // Options that only look alike.
            ("- ext4 /dev/sda1 rw,errors=remount-ro", "rw,noro", false),
            ("- overlay ro rw,lowerdir=/ro", "rw", false),
        ])
    func options(rest: String, own: String, keepsOut: Bool) throws {
        let table = """
            28 1 254:0 / / ro,relatime - ext4 /dev/vda ro
            436 28 259:1 /var/lib/kubelet/pods/5e/volumes/config /etc/privy\\040seal \(own) \(rest)
            437 28 0:30 / /run rw - tmpfs tmpfs rw
            """
        #expect(Mount(436, in: table)?.keepsOut == keepsOut)
    }

    @Test(
        "a line that is not whole, or is not there, says nothing",
        arguments: [
            "", "436", "436 28 259:1 / / ro", "436 28 259:1 / / ro shared:1 ext4 /dev/sda ro", "436 28 259:1 / / ro - ext4 ro",
        ])
    func malformed(table: String) {
        #expect(Mount(436, in: table) == nil)
        #expect(Mount(4, in: "436 28 259:1 / / ro - ext4 /dev/sda ro") == nil)
    }

    @Test("of a file, open or not, the kernel says the mount")
    func own() throws {
        #expect(Mount(of: "/proc/self")?.keepsOut == false)
        let file = try OwnedDescriptor(opening: "/proc/self/status", flags: 0)
        #expect(Mount(of: file)?.keepsOut == false)
        #expect(Mount(of: "/nonexistent") == nil)
    }
}
