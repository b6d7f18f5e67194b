DELETE FROM role_permissions
    WHERE role = 'admin' AND permission = 'machines:write'
        AND NOT EXISTS (SELECT 1 FROM role_permissions WHERE role <> 'admin' AND permission = 'machines:write');
DROP TABLE machine_secrets;
DROP TABLE machine_roles;
DROP TABLE machines;
