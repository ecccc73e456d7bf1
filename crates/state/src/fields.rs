//! Fields by number: names are looked up once, events only see the number.

use std::sync::OnceLock;

use vedette_event::{FieldId, all_fields};

macro_rules! fields {
    ($($class:ident { $($variant:ident $name:literal)* })*) => {
        /// The fields that are known here, by class.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Field {
            $($class($class),)*
        }

        $(
            /// Fields of one class.
            #[allow(clippy::enum_variant_names, reason = "they are named as their fields are")]
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub(crate) enum $class { $($variant,)* }
        )*

        fn by_name(name: &str) -> Option<Field> {
            match name {
                $($($name => Some(Field::$class($class::$variant)),)*)*
                _ => None,
            }
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$($($name,)*)*];
    };
}

#[rustfmt::skip]
fields! {
    Generic {
        EvtNum "evt.num" EvtTime "evt.time" EvtTimeS "evt.time.s" EvtTimeIso8601 "evt.time.iso8601"
        EvtDatetime "evt.datetime" EvtDatetimeS "evt.datetime.s" EvtRawtime "evt.rawtime" EvtRawtimeS "evt.rawtime.s"
        EvtRawtimeNs "evt.rawtime.ns" EvtReltime "evt.reltime" EvtReltimeS "evt.reltime.s"
        EvtReltimeNs "evt.reltime.ns" EvtPluginname "evt.pluginname" EvtPlugininfo "evt.plugininfo"
        EvtSource "evt.source" EvtIsAsync "evt.is_async" EvtAsynctype "evt.asynctype" EvtHostname "evt.hostname"
    }
    Event {
        EvtLatency "evt.latency" EvtLatencyS "evt.latency.s" EvtLatencyNs "evt.latency.ns"
        EvtLatencyQuantized "evt.latency.quantized" EvtLatencyHuman "evt.latency.human" EvtDeltatime "evt.deltatime"
        EvtDeltatimeS "evt.deltatime.s" EvtDeltatimeNs "evt.deltatime.ns" EvtOutputtime "evt.outputtime"
        EvtDir "evt.dir" EvtType "evt.type" EvtTypeIs "evt.type.is" SyscallType "syscall.type"
        EvtCategory "evt.category" EvtCpu "evt.cpu" EvtArgs "evt.args" EvtArg "evt.arg" EvtRawarg "evt.rawarg"
        EvtInfo "evt.info" EvtBuffer "evt.buffer" EvtBuflen "evt.buflen" EvtRes "evt.res" EvtRawres "evt.rawres"
        EvtFailed "evt.failed" EvtIsIo "evt.is_io" EvtIsIoRead "evt.is_io_read" EvtIsIoWrite "evt.is_io_write"
        EvtIoDir "evt.io_dir" EvtIsWait "evt.is_wait" EvtWaitLatency "evt.wait_latency" EvtIsSyslog "evt.is_syslog"
        EvtCount "evt.count" EvtCountError "evt.count.error" EvtCountErrorFile "evt.count.error.file"
        EvtCountErrorNet "evt.count.error.net" EvtCountErrorMemory "evt.count.error.memory"
        EvtCountErrorOther "evt.count.error.other" EvtCountExit "evt.count.exit" EvtCountProcinfo "evt.count.procinfo"
        EvtCountThreadinfo "evt.count.threadinfo" EvtAround "evt.around" EvtAbspath "evt.abspath"
        EvtBuflenIn "evt.buflen.in" EvtBuflenOut "evt.buflen.out" EvtBuflenFile "evt.buflen.file"
        EvtBuflenFileIn "evt.buflen.file.in" EvtBuflenFileOut "evt.buflen.file.out" EvtBuflenNet "evt.buflen.net"
        EvtBuflenNetIn "evt.buflen.net.in" EvtBuflenNetOut "evt.buflen.net.out" EvtIsOpenRead "evt.is_open_read"
        EvtIsOpenWrite "evt.is_open_write" EvtInfraDockerName "evt.infra.docker.name"
        EvtInfraDockerContainerId "evt.infra.docker.container.id"
        EvtInfraDockerContainerName "evt.infra.docker.container.name"
        EvtInfraDockerContainerImage "evt.infra.docker.container.image" EvtIsOpenExec "evt.is_open_exec"
        EvtIsOpenCreate "evt.is_open_create"
    }
    Process {
        ProcExe "proc.exe" ProcPexe "proc.pexe" ProcAexe "proc.aexe" ProcExepath "proc.exepath"
        ProcPexepath "proc.pexepath" ProcAexepath "proc.aexepath" ProcName "proc.name" ProcPname "proc.pname"
        ProcAname "proc.aname" ProcArgs "proc.args" ProcAargs "proc.aargs" ProcCmdline "proc.cmdline"
        ProcPcmdline "proc.pcmdline" ProcAcmdline "proc.acmdline" ProcCmdnargs "proc.cmdnargs"
        ProcCmdlenargs "proc.cmdlenargs" ProcExeline "proc.exeline" ProcEnv "proc.env" ProcAenv "proc.aenv"
        ProcCwd "proc.cwd" ProcLoginshellid "proc.loginshellid" ProcTty "proc.tty" ProcPid "proc.pid"
        ProcPpid "proc.ppid" ProcApid "proc.apid" ProcVpid "proc.vpid" ProcPvpid "proc.pvpid" ProcSid "proc.sid"
        ProcSname "proc.sname" ProcSidExe "proc.sid.exe" ProcSidExepath "proc.sid.exepath" ProcVpgid "proc.vpgid"
        ProcVpgidName "proc.vpgid.name" ProcVpgidExe "proc.vpgid.exe" ProcVpgidExepath "proc.vpgid.exepath"
        ProcPgid "proc.pgid" ProcPgidName "proc.pgid.name" ProcPgidExe "proc.pgid.exe"
        ProcPgidExepath "proc.pgid.exepath" ProcDuration "proc.duration" ProcPpidDuration "proc.ppid.duration"
        ProcPidTs "proc.pid.ts" ProcPpidTs "proc.ppid.ts" ProcIsExeWritable "proc.is_exe_writable"
        ProcIsExeUpperLayer "proc.is_exe_upper_layer" ProcIsExeLowerLayer "proc.is_exe_lower_layer"
        ProcIsExeFromMemfd "proc.is_exe_from_memfd" ProcIsSidLeader "proc.is_sid_leader"
        ProcIsVpgidLeader "proc.is_vpgid_leader" ProcIsPgidLeader "proc.is_pgid_leader" ProcExeIno "proc.exe_ino"
        ProcExeInoCtime "proc.exe_ino.ctime" ProcExeInoMtime "proc.exe_ino.mtime"
        ProcExeInoCtimeDurationProcStart "proc.exe_ino.ctime_duration_proc_start"
        ProcExeInoCtimeDurationPidnsStart "proc.exe_ino.ctime_duration_pidns_start"
        ProcPidnsInitStartTs "proc.pidns_init_start_ts" ThreadCapPermitted "thread.cap_permitted"
        ThreadCapInheritable "thread.cap_inheritable" ThreadCapEffective "thread.cap_effective"
        ProcFdopencount "proc.fdopencount" ProcFdlimit "proc.fdlimit" ProcFdusage "proc.fdusage"
        ProcVmsize "proc.vmsize" ProcVmrss "proc.vmrss" ProcVmswap "proc.vmswap" ThreadPfmajor "thread.pfmajor"
        ThreadPfminor "thread.pfminor" ThreadTid "thread.tid" ThreadIsmain "thread.ismain" ThreadVtid "thread.vtid"
        ThreadNametid "thread.nametid" ThreadExectime "thread.exectime" ThreadTotexectime "thread.totexectime"
        ThreadCgroups "thread.cgroups" ThreadCgroup "thread.cgroup" ProcNthreads "proc.nthreads"
        ProcNchilds "proc.nchilds" ThreadCpu "thread.cpu" ThreadCpuUser "thread.cpu.user"
        ThreadCpuSystem "thread.cpu.system" ThreadVmsize "thread.vmsize" ThreadVmrss "thread.vmrss"
        ThreadVmsizeB "thread.vmsize.b" ThreadVmrssB "thread.vmrss.b" ProcStdinType "proc.stdin.type"
        ProcStdoutType "proc.stdout.type" ProcStderrType "proc.stderr.type" ProcStdinName "proc.stdin.name"
        ProcStdoutName "proc.stdout.name" ProcStderrName "proc.stderr.name"
    }
    Account {
        UserUid "user.uid" UserName "user.name" UserHomedir "user.homedir" UserShell "user.shell"
        UserLoginuid "user.loginuid" UserLoginname "user.loginname" GroupGid "group.gid"
        GroupName "group.name"
    }
    Descriptor {
        FdNum "fd.num" FdType "fd.type" FdTypechar "fd.typechar" FdName "fd.name" FdDirectory "fd.directory"
        FdFilename "fd.filename" FdIp "fd.ip" FdCip "fd.cip" FdSip "fd.sip" FdLip "fd.lip" FdRip "fd.rip"
        FdPort "fd.port" FdCport "fd.cport" FdSport "fd.sport" FdLport "fd.lport" FdRport "fd.rport"
        FdL4proto "fd.l4proto" FdSockfamily "fd.sockfamily" FdIsServer "fd.is_server" FdUid "fd.uid"
        FdContainername "fd.containername" FdContainerdirectory "fd.containerdirectory" FdProto "fd.proto"
        FdCproto "fd.cproto" FdSproto "fd.sproto" FdLproto "fd.lproto" FdRproto "fd.rproto" FdNet "fd.net"
        FdCnet "fd.cnet" FdSnet "fd.snet" FdLnet "fd.lnet" FdRnet "fd.rnet" FdConnected "fd.connected"
        FdNameChanged "fd.name_changed" FdCipName "fd.cip.name" FdSipName "fd.sip.name" FdLipName "fd.lip.name"
        FdRipName "fd.rip.name" FdDev "fd.dev" FdDevMajor "fd.dev.major" FdDevMinor "fd.dev.minor" FdIno "fd.ino"
        FdNameraw "fd.nameraw" FdTypes "fd.types" FdIsUpperLayer "fd.is_upper_layer"
        FdIsLowerLayer "fd.is_lower_layer"
    }
    DescriptorList {
        FdlistNums "fdlist.nums" FdlistNames "fdlist.names" FdlistCips "fdlist.cips"
        FdlistSips "fdlist.sips" FdlistCports "fdlist.cports" FdlistSports "fdlist.sports"
    }
    FilePath {
        FsPathName "fs.path.name" FsPathNameraw "fs.path.nameraw" FsPathSource "fs.path.source"
        FsPathSourceraw "fs.path.sourceraw" FsPathTarget "fs.path.target" FsPathTargetraw "fs.path.targetraw"
    }
    Vedette {
        IoUring "vedette.io_uring"
    }
    Container {
        ContainerId "container.id" ContainerFullId "container.full_id"
        ContainerName "container.name" ContainerImage "container.image" ContainerImageId "container.image.id"
        ContainerType "container.type" ContainerPrivileged "container.privileged" ContainerMounts "container.mounts"
        ContainerMount "container.mount" ContainerMountSource "container.mount.source"
        ContainerMountDest "container.mount.dest" ContainerMountMode "container.mount.mode"
        ContainerMountRdwr "container.mount.rdwr" ContainerMountPropagation "container.mount.propagation"
        ContainerImageRepository "container.image.repository" ContainerImageTag "container.image.tag"
        ContainerImageDigest "container.image.digest" ContainerHealthcheck "container.healthcheck"
        ContainerLivenessProbe "container.liveness_probe" ContainerReadinessProbe "container.readiness_probe"
        ContainerStartTs "container.start_ts" ContainerDuration "container.duration" ContainerIp "container.ip"
        ContainerCniJson "container.cni.json" ContainerHostPid "container.host_pid"
        ContainerHostNetwork "container.host_network" ContainerHostIpc "container.host_ipc"
        ContainerLabel "container.label" ContainerLabels "container.labels"
        ProcIsContainerHealthcheck "proc.is_container_healthcheck"
        ProcIsContainerLivenessProbe "proc.is_container_liveness_probe"
        ProcIsContainerReadinessProbe "proc.is_container_readiness_probe" K8sPodName "k8s.pod.name"
        K8sNsName "k8s.ns.name" K8sPodId "k8s.pod.id" K8sPodUid "k8s.pod.uid" K8sPodSandboxId "k8s.pod.sandbox_id"
        K8sPodFullSandboxId "k8s.pod.full_sandbox_id" K8sPodLabel "k8s.pod.label" K8sPodLabels "k8s.pod.labels"
        K8sPodIp "k8s.pod.ip" K8sPodCniJson "k8s.pod.cni.json"
    }
}

/// The field with this id; `None` for fields of other sources.
pub(crate) fn field(id: FieldId) -> Option<Field> {
    static TABLE: OnceLock<Vec<Option<Field>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| all_fields().map(|(_, info)| by_name(info.name)).collect());
    *table.get(usize::from(id.0))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_the_catalogue() {
        for name in NAMES {
            let id =
                FieldId::by_name(name).unwrap_or_else(|| panic!("{name} is not in the catalogue"));
            assert_eq!(field(id), by_name(name));
        }
    }

    /// Fields that the catalogue names for system calls but that never have a value any more.
    const WITHOUT_VALUE: &[&str] = &[
        "k8s.rc",
        "k8s.svc",
        "k8s.ns.id",
        "k8s.ns.label",
        "k8s.rs",
        "k8s.deployment",
    ];

    #[test]
    fn no_core_field_is_forgotten() {
        for class in vedette_event::classes() {
            if !matches!(
                class.name,
                "evt"
                    | "process"
                    | "user"
                    | "group"
                    | "fd"
                    | "fdlist"
                    | "fs.path"
                    | "container"
                    | "vedette"
            ) {
                continue;
            }
            for info in class.fields {
                if WITHOUT_VALUE
                    .iter()
                    .any(|prefix| info.name.starts_with(prefix))
                {
                    continue;
                }
                assert!(by_name(info.name).is_some(), "{}", info.name);
            }
        }
    }
}
