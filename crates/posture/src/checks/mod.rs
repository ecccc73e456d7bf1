//! The registry of checks: one file each, sorted by id. A test proves that no file is left out.

use crate::check::Check;

mod access_to_approve_certificates;
mod access_to_bind_escalate;
mod access_to_change_config_maps;
mod access_to_change_rbac;
mod access_to_change_secrets;
mod access_to_create_persistent_volumes;
mod access_to_create_pods;
mod access_to_create_tokens;
mod access_to_create_workloads;
mod access_to_delete_events;
mod access_to_delete_logs;
mod access_to_delete_workloads;
mod access_to_exec;
mod access_to_impersonate;
mod access_to_node_proxy;
mod access_to_port_forward;
mod access_to_secrets;
mod access_to_webhook_configurations;
mod added_capabilities;
mod anonymous_access;
mod apparmor_profile;
mod cluster_admin_binding;
mod container_runtime_socket;
mod cpu_limit;
mod cpu_request;
mod credential_in_environment;
mod dangling_service;
mod default_namespace;
mod default_service_account_bound;
mod default_service_account_token;
mod default_service_account_used;
mod deprecated_service_account_field;
mod drop_all_capabilities;
mod duplicate_environment_variable;
mod eks_access_entries;
mod eks_audit_logs;
mod eks_endpoint_access;
mod eks_private_endpoint_only;
mod eks_private_nodes;
mod eks_secrets_encryption;
mod everything_in_role;
mod exposed_service;
mod host_ipc;
mod host_network;
mod host_path_volume;
mod host_pid;
mod host_port;
mod image_digest;
mod image_pull_policy;
mod image_registry;
mod image_tag;
mod ingress_tls;
mod kubelet_anonymous_auth;
mod kubelet_authorization_mode;
mod kubelet_client_ca;
mod kubelet_config_ownership;
mod kubelet_config_permissions;
mod kubelet_event_rate;
mod kubelet_hostname_override;
mod kubelet_iptables_chains;
mod kubelet_kubeconfig_ownership;
mod kubelet_kubeconfig_permissions;
mod kubelet_read_only_port;
mod kubelet_rotate_certificates;
mod kubelet_rotate_server_certificate;
mod kubelet_streaming_timeout;
mod kubelet_strong_ciphers;
mod liveness_probe;
mod load_balancer_tls;
mod low_group_id;
mod low_user_id;
mod memory_limit;
mod memory_request;
mod mismatching_selector;
mod missing_service_account;
mod mount_subpath;
mod namespace_network_policy;
mod namespace_pod_security_baseline;
mod namespace_pod_security_restricted;
mod net_raw_capability;
mod nginx_ingress_end_of_life;
mod no_rolling_update;
mod pod_network_policy;
mod privilege_escalation;
mod privileged_container;
mod probe_host;
mod proc_mount;
mod read_only_root_filesystem;
mod readiness_probe;
mod restricted_capabilities;
mod restricted_volume_types;
mod run_as_non_root;
mod run_as_root_user;
mod seccomp_profile;
mod secret_in_environment;
mod selinux_options;
mod sensitive_host_path;
mod service_account_token;
mod ssh_server;
mod sudo_in_entrypoint;
mod sys_admin_capability;
mod system_masters;
mod unsafe_sysctls;
mod webhook_failure_policy;
mod wildcard_in_role;
mod windows_host_process;
mod writable_host_path;

/// Every check, sorted by id.
pub static ALL: &[Check] = &[
    access_to_approve_certificates::CHECK,
    access_to_bind_escalate::CHECK,
    access_to_change_config_maps::CHECK,
    access_to_change_rbac::CHECK,
    access_to_change_secrets::CHECK,
    access_to_create_persistent_volumes::CHECK,
    access_to_create_pods::CHECK,
    access_to_create_tokens::CHECK,
    access_to_create_workloads::CHECK,
    access_to_delete_events::CHECK,
    access_to_delete_logs::CHECK,
    access_to_delete_workloads::CHECK,
    access_to_exec::CHECK,
    access_to_impersonate::CHECK,
    access_to_node_proxy::CHECK,
    access_to_port_forward::CHECK,
    access_to_secrets::CHECK,
    access_to_webhook_configurations::CHECK,
    added_capabilities::CHECK,
    anonymous_access::CHECK,
    apparmor_profile::CHECK,
    cluster_admin_binding::CHECK,
    container_runtime_socket::CHECK,
    cpu_limit::CHECK,
    cpu_request::CHECK,
    credential_in_environment::CHECK,
    dangling_service::CHECK,
    default_namespace::CHECK,
    default_service_account_bound::CHECK,
    default_service_account_token::CHECK,
    default_service_account_used::CHECK,
    deprecated_service_account_field::CHECK,
    drop_all_capabilities::CHECK,
    duplicate_environment_variable::CHECK,
    eks_access_entries::CHECK,
    eks_audit_logs::CHECK,
    eks_endpoint_access::CHECK,
    eks_private_endpoint_only::CHECK,
    eks_private_nodes::CHECK,
    eks_secrets_encryption::CHECK,
    everything_in_role::CHECK,
    exposed_service::CHECK,
    host_ipc::CHECK,
    host_network::CHECK,
    host_path_volume::CHECK,
    host_pid::CHECK,
    host_port::CHECK,
    image_digest::CHECK,
    image_pull_policy::CHECK,
    image_registry::CHECK,
    image_tag::CHECK,
    ingress_tls::CHECK,
    kubelet_anonymous_auth::CHECK,
    kubelet_authorization_mode::CHECK,
    kubelet_client_ca::CHECK,
    kubelet_config_ownership::CHECK,
    kubelet_config_permissions::CHECK,
    kubelet_event_rate::CHECK,
    kubelet_hostname_override::CHECK,
    kubelet_iptables_chains::CHECK,
    kubelet_kubeconfig_ownership::CHECK,
    kubelet_kubeconfig_permissions::CHECK,
    kubelet_read_only_port::CHECK,
    kubelet_rotate_certificates::CHECK,
    kubelet_rotate_server_certificate::CHECK,
    kubelet_streaming_timeout::CHECK,
    kubelet_strong_ciphers::CHECK,
    liveness_probe::CHECK,
    load_balancer_tls::CHECK,
    low_group_id::CHECK,
    low_user_id::CHECK,
    memory_limit::CHECK,
    memory_request::CHECK,
    mismatching_selector::CHECK,
    missing_service_account::CHECK,
    mount_subpath::CHECK,
    namespace_network_policy::CHECK,
    namespace_pod_security_baseline::CHECK,
    namespace_pod_security_restricted::CHECK,
    net_raw_capability::CHECK,
    nginx_ingress_end_of_life::CHECK,
    no_rolling_update::CHECK,
    pod_network_policy::CHECK,
    privilege_escalation::CHECK,
    privileged_container::CHECK,
    probe_host::CHECK,
    proc_mount::CHECK,
    read_only_root_filesystem::CHECK,
    readiness_probe::CHECK,
    restricted_capabilities::CHECK,
    restricted_volume_types::CHECK,
    run_as_non_root::CHECK,
    run_as_root_user::CHECK,
    seccomp_profile::CHECK,
    secret_in_environment::CHECK,
    selinux_options::CHECK,
    sensitive_host_path::CHECK,
    service_account_token::CHECK,
    ssh_server::CHECK,
    sudo_in_entrypoint::CHECK,
    sys_admin_capability::CHECK,
    system_masters::CHECK,
    unsafe_sysctls::CHECK,
    webhook_failure_policy::CHECK,
    wildcard_in_role::CHECK,
    windows_host_process::CHECK,
    writable_host_path::CHECK,
];

/// The check with this id.
pub fn by_id(id: &str) -> Option<&'static Check> {
    ALL.binary_search_by(|check| check.id.cmp(id))
        .ok()
        .map(|index| &ALL[index])
}
